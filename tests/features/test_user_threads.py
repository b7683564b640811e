"""T4, T11: the demonstrations of threads and of alarms that the book's chapters talk about."""
from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("smp", [1, 4])
def test_T4_threaddemo(shell, smp):
    m = shell(smp=smp)
    output = m.check("threaddemo")
    counted, without, with_mutex = map(int, re.search(r"race: (\d+) counted, (\d+) without .*, (\d+) with", output).groups())
    assert with_mutex == counted > without, output
    assert re.search(r"buffer: 20000 items .* sum 99990000\n", output), output
    assert re.search(r"phases: .*: 1 3 6 10\n", output), output


def test_T4_mutex_without_a_call(shell):
    """200,000 locks and unlocks, and the trace of system calls has not one futex; it has some when threads do wait."""
    m = shell()
    m.check("echo threaddemo >/proc/trace/strace")
    assert "write(1" in (alone := m.check("threaddemo lock")) and "futex" not in alone
    assert "futex" in m.check("threaddemo phases")


@pytest.mark.parametrize("smp", [1, 4])
def test_T11_alarmdemo(shell, smp):
    m = shell(smp=smp)
    for command in ("alarmdemo", "alarmdemo -p 3"):
        output = m.check(command)
        without, with_alarms = re.search(r"undisturbed: .* result (\w+) without them, (\w+) with them", output).groups()
        assert without == with_alarms, output
        assert "at most 1 at a time" in output, output
        assert 1088 <= int(re.search(r"the inner's (\d+) bytes below", output)[1]) < 4096, output
