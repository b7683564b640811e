"""CHECK=leak: what nothing points to any more is found, with who allocated it (row D4); and nothing is on the kernel itself."""
from __future__ import annotations

import re

import pytest

from xv39.checks import FRAME, assert_nothing_lost, kernel, scan, wrong_line

CACHE = {"leak_list": "kmalloc-32", "leak_overwritten": "kmalloc-512", "leak_page": "pages", "leak_large": "pages",
         "leak_file": "file"}


@pytest.mark.parametrize("bug", CACHE)
def test_D4_leak_finds(shell, bug):
    image = kernel("leak")
    m = shell(kernel=image, smp=2)
    assert_nothing_lost(m)
    m.check(f"echo {bug} > /proc/xv39/plant")
    report = scan(m)
    lost = [text for text in report.split("leak: ")[1:] if f"cache {CACHE[bug]}, " in text and f" plant_{bug}+" in text]
    assert len(lost) == 1 and lost[0].startswith("1 of "), report
    frame = next(f for f in FRAME.finditer(lost[0]) if f.group(2) == f"plant_{bug}")
    assert wrong_line(image, frame.group(1), f"plant_{bug}"), report


def test_D4_leak_needs_two_scans(shell):
    """The first scan after the loss does not tell yet: the object might be on its way."""
    m = shell(kernel=kernel("leak"))
    m.check("echo leak_overwritten > /proc/xv39/plant")
    m.check("echo scan > /proc/xv39/leak")
    assert "lost 0," in m.check("cat /proc/xv39/leak")
    m.check("echo scan > /proc/xv39/leak")
    assert "lost 1," in m.check("cat /proc/xv39/leak")
    assert m.run("echo nonsense > /proc/xv39/leak")[0] != 0


@pytest.mark.parametrize("bug, grown", [("leak_inode", "1 inodes, 1 objects of cache tmpfs_inode"),
                                        pytest.param("leak_list", "0 inodes, 2 objects of cache kmalloc-32",
                                                     marks=pytest.mark.slow)])
def test_D4_leak_is_counted_for_each_case(shell, bug, grown):
    """usertests compares inodes and the objects of each cache; an inode with a reference too many is no loss for a scan."""
    m = shell(kernel=kernel("leak"), smp=2)
    assert "1 passed, 0 failed" in m.run("usertests T1_fork_returns")[1]
    report = m.run(f"usertests -p {bug} T1_fork_returns", timeout=120)[1]
    assert re.search(rf"FAIL T1_fork_returns: leak: .*, {grown}, in each of \d+ runs", report), report
    assert ("lost 0," in report) == (bug == "leak_inode"), report


def test_D4_leak_silent_on_a_shell(shell):
    m = shell(kernel=kernel("leak"), smp=4)
    for command in ("ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x", "cat d/x | wc", "rm -r d", "ps"):
        m.run(command)
    assert_nothing_lost(m)
    m.poweroff()
