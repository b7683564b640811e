"""CHECK=leak: what nothing points to any more is found, with who allocated it (row D4); and nothing is on the kernel itself."""
from __future__ import annotations

import re

import pytest

from test_checks import FRAME, kernel, wrong_line

CACHE = {"leak_list": "kmalloc-32", "leak_overwritten": "kmalloc-512", "leak_page": "pages", "leak_large": "pages",
         "leak_file": "file"}


def scan(m) -> str:
    """Two scans: what a first one misses may be on its way."""
    m.check("echo scan > /proc/xv39/leak")
    m.check("echo scan > /proc/xv39/leak")
    return m.check("cat /proc/xv39/leak")


def assert_nothing_lost(m) -> None:
    report = scan(m)
    assert re.search(r"(?m)^lost 0, reached \d{3,}, scan \d+", report), report


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


def test_D4_leak_silent_on_a_shell(shell):
    m = shell(kernel=kernel("leak"), smp=4)
    for command in ("ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x", "cat d/x | wc", "rm -r d", "ps"):
        m.run(command)
    assert_nothing_lost(m)
    m.poweroff()
