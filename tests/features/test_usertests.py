"""D2: the programs written against xv6's API, run from our own shell."""
from __future__ import annotations

import re

import pytest

from xv39 import speed
from xv39.machine import Timeout

FREE = re.compile(r"MemFree:\s+(\d+) kB")


def free_memory(m) -> int:
    """MemFree in KiB."""
    return int(FREE.search(m.check("cat /proc/meminfo")).group(1))


def passed(output: str) -> None:
    assert re.search(r"(?m)^ALL TESTS PASSED", output), output[-2000:]


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_usertests_quick(shell, smp):
    m = shell(smp=smp, mem="256M")
    passed(m.check("usertests -q", timeout=600))
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
def test_D2_usertests_all(shell, smp):
    m = shell(smp=smp, mem="256M")
    passed(m.check("usertests", timeout=2400))
    m.poweroff()


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_forktest(shell, smp):
    m = shell(smp=smp)
    assert "fork test OK" in m.check("forktest", timeout=120)


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_stressfs(shell, smp):
    m = shell(smp=smp)
    m.check("stressfs", timeout=240)
    m.poweroff()


def grind(m, seconds: float) -> None:
    """grind runs until it is interrupted; it says `grind:` only when something is wrong."""
    m.send_line("grind")
    m.expect("grind\r*\n")
    with pytest.raises(Timeout):
        m.expect("grind: [^\r\n]*\r", seconds / speed.factor())
    m.control("C")
    m.wait_prompt()
    assert m.check("echo alive") == "alive\n"


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_grind(shell, smp):
    m = shell(smp=smp)
    grind(m, 20)


@pytest.mark.slow
def test_D2_grind_long(shell):
    m = shell(smp=8)
    grind(m, 600)
