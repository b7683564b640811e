"""Each fair class in turn: it is the one that the table shows, and its cases pass (usertests, rows S3 to S8)."""
from __future__ import annotations

import re

import pytest

CASES = ["S3_class_table", "S4_rr_ignores_nice", "S5_o1_slices", "S6_cfs_weights", "S6_sleeper_first", "'S7_*'",
         "S8_affinity", "S8_one_more_than_harts", "S8_only_where_allowed", "S8_moved_at_once", "S8_rt_spreads"]


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("name", ["cfs", "o1", "rr"])
def test_S6_fair_classes(shell, name, smp):
    m = shell(smp=smp, append=f"sched={name}")
    classes = re.findall(r"(?m)^(\w+) +\d +\d+  ", m.check("cat /proc/sched_classes"))
    assert classes == ["rt", name, "idle"]
    status, said = m.run("usertests " + " ".join(CASES), timeout=300)
    assert " 0 failed" in said, said
    m.poweroff()
