"""T1, T8: tasks in numbers that need a machine of their own, or a kernel that watches its locks."""
from __future__ import annotations

import re

import pytest

from xv39.checks import kernel, usertests

# Each forked process costs a kernel stack (8 KiB), five page tables (20), a page of its stack (4) and objects (8).
FORKED = 44 << 10
SHARING = 18 << 10  # a process that has no memory of its own: kernel stack and objects


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("case, mem, bound", [("T1_10000_tasks", "512M", FORKED),
                                              ("T1_10000_tasks_of_one_memory", "256M", SHARING)])
def test_T1_10000_tasks(shell, smp, case, mem, bound):
    m = shell(smp=smp, mem=mem)
    output = usertests(m, case, timeout=900)
    cost = re.search(r"(?m)^# 10000 tasks, bytes for each: (\d+),", output)
    assert cost and int(cost[1]) < bound, output
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
def test_T8_fork_exit_100000(shell, smp):
    m = shell(smp=smp)
    usertests(m, "T8_fork_exit_100000", timeout=900)
    m.poweroff()


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("case", ["T8_200_kills", pytest.param("T8_10000_kills", marks=pytest.mark.slow)])
def test_T8_kills_at_random(shell, smp, case):
    """No hang, no zombie, nothing lost, and no lock taken in the wrong order; the seed is in the log."""
    m = shell(kernel=kernel("locks", plant=False), smp=smp, mem="256M", append="panic=-1")
    usertests(m, case, slower=4)
    m.poweroff()
