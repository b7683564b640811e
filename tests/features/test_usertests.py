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


# In the style of xv6's assignments; each ends with `NAME: ok`.
OF_ASSIGNMENTS = ["cowtest", "lazytest", "mmaptest", "alarmtest", "symlinktest", "bigfile", "uthread"]


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_programs_of_xv6_assignments(shell, smp):
    m = shell(smp=smp, mem="1024M")  # lazytest has half of it, untouched
    for program in OF_ASSIGNMENTS:
        output = m.check(program, timeout=120)
        assert re.search(rf"(?m)^{program}: ok$", output), output
    m.poweroff()


def test_D2_xv6_programs_know_only_xv6():
    """What they include is xv6's, so a program that was written for xv6 compiles as these do."""
    theirs = {"param", "types", "stat", "fs", "fcntl", "syscall", "memlayout", "riscv"}
    for program in [*OF_ASSIGNMENTS, "forktest", "xv6test"]:
        for source in [paths.TOP / f"user/{program}.c", *(paths.TOP / "user" / program).glob("*.c")]:
            included = re.findall(r'(?m)^#include (.*)$', source.read_text()) if source.exists() else []
            assert set(included) <= {f'"kernel/{name}.h"' for name in theirs} | {'"user/user.h"'}, source


@pytest.mark.parametrize("smp", [1, 4])
def test_D2_threads_of_xv6_assignments(boot, debian_with, smp):
    """ph and barrier, which a course with xv6 runs on the host."""
    m = boot(disks=[debian_with(["ph", "-O2", "-pthread"], ["barrier", "-O2", "-pthread"])], smp=smp, mem="256M",
             append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    assert "ph: 4 threads, 0 keys missing" in m.check("ph 4", timeout=120)
    assert "barrier: 4 threads, 400 rounds, 0 early" in m.check("barrier 4", timeout=120)


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
