"""Each fair class in turn: it is the one that the table shows, and its cases pass (usertests, rows S3 to S8)."""
from __future__ import annotations

import re

import pytest

CASES = ["S3_class_table", "S4_rr_ignores_nice", "'S7_*'", "S8_affinity", "S8_only_where_allowed", "S8_moved_at_once",
         "S8_rt_spreads"]
# Shares of time, on one hart, where a nanosecond is a number of instructions and not what the host makes of it.
EXACT = ["-icount", "shift=5,sleep=off"]
SHARES = {"cfs": ["S6_cfs_weights", "S6_sleeper_first", "S7_idle_policy", "S7_batch_policy"], "o1": ["S5_o1_slices"],
          "rr": ["S4_rr_ignores_nice"]}
LONG = ["S6_cfs_weights_long", "S6_cfs_weights_wild"]
# On several harts the host's threads are the harts: this wants a host that is idle otherwise.
SPREAD = ["S6_cfs_weights_harts", "S8_one_more_than_harts", "S8_fair_H_plus_1", "S8_fair_2H_minus_1", "S8_fair_3H_plus_1",
          "S8_fair_4H"]


def pass_all(m, cases: list[str], timeout: float) -> None:
    status, said = m.run("usertests " + " ".join(cases), timeout=timeout)
    assert re.search(r"(?m)^usertests: [1-9]\d* passed, 0 failed", said), said
    m.poweroff()


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("name", ["cfs", "o1", "rr"])
def test_S6_fair_classes(shell, name, smp):
    m = shell(smp=smp, append=f"sched={name}")
    classes = re.findall(r"(?m)^(\w+) +\d +\d+  ", m.check("cat /proc/sched_classes"))
    assert classes == ["rt", name, "idle"]
    pass_all(m, CASES, 300)


@pytest.mark.parametrize("name", SHARES)
def test_S4_S5_S6_S7_shares(shell, name):
    pass_all(shell(smp=1, append=f"sched={name}", extra=EXACT), SHARES[name], 300)


@pytest.mark.slow
def test_S6_shares_for_long(shell):
    pass_all(shell(smp=1, extra=EXACT), LONG, 600)


@pytest.mark.slow
def test_S6_S8_shares_on_four_harts(shell):
    pass_all(shell(smp=4), SPREAD, 900)
