"""Each fair class in turn: it is the one that the table shows, and its cases pass (usertests, rows S3 to S8). What harts and many
tasks cost, and how long a real-time task waits, is counted in instructions."""
from __future__ import annotations

import math
import re

import pytest

from xv39 import images, paths, speed

CASES = ["S3_class_table", "S4_rr_ignores_nice", "'S7_*'", "S8_affinity", "S8_only_where_allowed", "S8_moved_at_once", "S8_moved_on_its_way",
         "S8_rt_spreads"]
# Shares of time, on one hart, where a nanosecond is a number of instructions and not what the host makes of it.
EXACT = ["-icount", "shift=5,sleep=off"]
SHARES = {"cfs": ["S6_cfs_weights", "S6_sleeper_first", "S7_idle_policy", "S7_batch_policy", "S10_loose_timers"], "o1": ["S5_o1_slices"],
          "rr": ["S4_rr_ignores_nice"]}
LONG = ["S6_cfs_weights_long", "S6_cfs_weights_wild"]
# On several harts the host's threads are the harts, and it stops them as it likes: what is measured there is true only over the
# long run. The exact figures are those of tests/unit/test_shares.c.
SPREAD = ["S8_fair_H_plus_1", "S8_fair_2H_minus_1", "S8_fair_3H_plus_1", "S8_fair_4H", "S6_cfs_weights_harts",
          "S6_cfs_weights_wild_harts"]


def pass_all(m, cases: list[str], timeout: float) -> None:
    patience = math.ceil(speed.factor())
    status, said = m.run(f"usertests -x {patience} {' '.join(cases)}", timeout=timeout)
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


def test_S6_S10_shares_without_ticks(shell):
    pass_all(shell(smp=1, append="nohz=full", extra=EXACT), ["S6_cfs_weights"], 300)


@pytest.mark.slow
def test_S6_shares_for_long(shell):
    pass_all(shell(smp=1, extra=EXACT), LONG, 600)


@pytest.mark.slow
@pytest.mark.parametrize("nohz", ["idle", "full"])
def test_S6_S8_shares_on_four_harts(shell, nohz):
    pass_all(shell(smp=4, append=f"nohz={nohz}"), SPREAD, 900)


COUNTED = ["-icount", "shift=0,sleep=off"]  # an instruction is a nanosecond


@pytest.fixture(scope="module")
def measuring_image(tmp_path_factory):
    root = images.folders(tmp_path_factory.mktemp("root"))
    for name in "latency", "runqueue":
        images.build(paths.TOP / f"tests/programs/{name}.c", root / "bin" / name)
    return images.make_ext2(tmp_path_factory.mktemp("image") / "measure.img", root, "160M")


def measured(boot, image, command, pattern, append="", seconds=120):
    m = boot(disks=[image], mem="2G", append=f"panic=-1 {append} init=/bin/{command}", extra=COUNTED)
    return m.expect(pattern, timeout=seconds * speed.factor(), crash_ok=True)


@pytest.mark.parametrize("call", ["write", "exit", "directory", "fork"])
def test_S9_fifo_latency(boot, measuring_image, call):
    """A FIFO task runs soon after its timer has fired, whatever others do in the kernel."""
    found = measured(boot, measuring_image, f"latency -- {call}", rf"{call}: (\d+) of (\d+)[\r\n]")
    worst, wakeups = map(int, found.groups())
    assert wakeups > 500
    assert worst < 20000, f"{worst} instructions"


def test_S9_without_preemption(boot, measuring_image):
    """The measurement sees long calls: nothing is preempted here."""
    found = measured(boot, measuring_image, "latency -- write", r"write: (\d+) of", append="preempt=none")
    assert int(found[1]) > 1000000


@pytest.mark.parametrize("name", ["o1", "cfs", pytest.param("rr", marks=pytest.mark.slow)])
def test_S5_cost_of_many_tasks(boot, measuring_image, name):
    """Whether 10 or 10,000 tasks wait is the same to o1 and rr; to cfs it is ten more levels of a tree."""
    found = measured(boot, measuring_image, "runqueue -- 10 1000 10000",
                     r"(?s)10: (\d+) (\d+).*1000: (\d+) (\d+).*10000: (\d+) (\d+)[\r\n]", append=f"sched={name}", seconds=300)
    change, sleep, change_1k, sleep_1k, change_10k, sleep_10k = map(int, found.groups())
    log = f"nice: {change}, {change_1k}, {change_10k}; sleep: {sleep}, {sleep_1k}, {sleep_10k}"
    allowed = 50 if name != "cfs" else 100 + 10 * 60
    assert change_10k - change < allowed and sleep_10k - sleep < allowed, log
    assert change_10k - change_1k < allowed / 2 and sleep_10k - sleep_1k < allowed / 2, log
