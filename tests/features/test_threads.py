"""T4, T8, T11, I6: what glibc builds on threads, timers and pidfds, in a program of its own."""
from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def threads_image(debian_with):
    return debian_with(["threads"])


@pytest.mark.parametrize("smp", [1, 4])
def test_T4_glibc_threads(boot, threads_image, smp):
    m = boot(disks=[threads_image], smp=smp, mem="512M", append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("threads", timeout=180)
    assert "not ok" not in output and "1..7" in output, output


@pytest.mark.parametrize("smp", [1, 4])
def test_S7_glibc_inherits(boot, debian_with, smp):
    """PTHREAD_PRIO_INHERIT: without it the thread that wants the mutex would wait for ever."""
    m = boot(disks=[debian_with(["inherit"])], smp=smp, mem="256M", append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("inherit", timeout=120)
    assert "not ok" not in output and "1..6" in output, output
