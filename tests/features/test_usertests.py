"""D2: the programs written against xv6's API, run from our own shell."""
from __future__ import annotations

import re

import pytest

from xv39 import paths
from xv39.checks import usertests


def needs(program: str) -> None:
    found = paths.run("debugfs", "-R", f"stat /bin/{program}", paths.FSIMG).stdout
    if "Inode:" not in found:
        pytest.skip(f"fs.img has no {program}")


@pytest.mark.parametrize("smp", [1, 4, 8])
def test_D2_usertests_quick(shell, smp):
    m = shell(smp=smp, mem="256M")
    usertests(m)
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
def test_D2_usertests_all(shell, smp):
    m = shell(smp=smp, mem="256M")
    usertests(m, "-a", timeout=2400)
    m.poweroff()


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_forktest(shell, smp):
    needs("forktest")
    m = shell(smp=smp)
    assert "fork test OK" in m.check("forktest", timeout=120)


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_xv6_api(shell, smp):
    """A program that includes only xv6's headers and checks what xv6's calls do."""
    output = shell(smp=smp, mem="1536M").check("xv6test", timeout=240)  # sbrklazy(1 GB) needs that much, as on Linux
    assert re.search(r"(?m)^xv6test: ok$", output), output


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_stressfs(shell, smp):
    needs("stressfs")
    m = shell(smp=smp)
    m.check("stressfs", timeout=240)
    m.poweroff()


def grind(m, seconds: int) -> None:
    """Random system calls by several children; the seed is in the log."""
    output = m.check(f"grind {seconds}", timeout=60 + 2 * seconds)
    assert re.search(r"(?m)^grind: ok$", output), output


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_grind(shell, smp):
    needs("grind")
    m = shell(smp=smp)
    grind(m, 20)
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4, 8])
def test_D2_grind_long(shell, smp):
    needs("grind")
    m = shell(smp=smp)
    grind(m, 600)
    m.poweroff()
