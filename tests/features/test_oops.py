"""T13: what an illegal access does, of a program and of the kernel."""
from __future__ import annotations

import re

import pytest

from xv39 import paths


@pytest.fixture(scope="module")
def faults_image(debian_with):
    return debian_with(["faults", "-O0"])


@pytest.mark.parametrize("smp", [1, 4])
def test_T13_a_program_dies_of_its_illegal_access(boot, faults_image, smp):
    """Each kind of access is made by a child that faults.c starts; it checks the signal and the address."""
    m = boot(disks=[faults_image], smp=smp, append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("faults")
    assert "not ok" not in output and re.search(r"(?m)^ok 1 ", output), output


def test_T13_the_kernels_illegal_access_is_an_oops(boot, faults_image):
    """`c` written to /proc/sysrq-trigger makes the kernel read where nothing is mapped, as Linux's does."""
    m = boot(disks=[faults_image], append="init=/bin/sh panic=-1", shell="posix")
    m.wait_prompt()
    m.send_line("echo c > /proc/sysrq-trigger")
    m.wait_end(crash_ok=True)
    report = m.before
    assert re.search(r"(?m)^panic:", report), report
    assert re.search(r"scause|cause", report) and re.search(r"\bsepc\b|\bpc\b", report), report
    names = re.findall(r"\b([a-z_][a-z0-9_]*)\+0x[0-9a-f]+", report)
    assert len(names) >= 3, f"no symbolised backtrace:\n{report}"
    known = set(re.findall(r"(?m) [tTwW] (\S+)$", paths.run("nm", paths.KERNEL).stdout))
    assert set(names) <= known


def test_quiet(boot, faults_image):
    m = boot(disks=[faults_image], append="init=/bin/sh quiet", shell="posix")
    m.wait_prompt()
    assert m.text().partition("BusyBox")[0].strip() == ""
