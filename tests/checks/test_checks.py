"""Checks that are built into the kernel, CHECK=…: each finds bugs planted for it, names function and line, and is silent
on the kernel itself. kernel/check/planted_*.c have the bugs; writing a name to /proc/xv39/plant runs one."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from xv39 import paths
from xv39.checks import FRAME, kernel, plant, says_wrong, wrong_line

# (bug, what the panic says of it)
KASAN = [
    ("heap_read", "kasan: out of bounds"),
    ("heap_write", "kasan: out of bounds"),
    ("heap_before", "kasan: out of bounds"),
    ("large_overflow", "kasan: out of bounds"),
    ("memcpy", "kasan: out of bounds"),
    ("user_copy", "kasan: out of bounds"),
    ("use_after_free", "kasan: use after free"),
    ("write_after_free", "kasan: use after free"),
    ("page_after_free", "kasan: use of a freed page"),
    ("global", "kasan: out of bounds of a global variable"),
    ("stack", "kasan: out of bounds of a stack variable"),
    ("double_free", "heap: double free"),
]
UBSAN = [
    ("overflow", "ubsan: overflow: 2147483600 + 100 does not fit 'int'"),
    ("shift", "ubsan: shift of 1 by 40 in 'unsigned int'"),
    ("index", "ubsan: index 5 is outside of 'u64 [5]'"),
    ("divide", "ubsan: division of 7 by 0"),
    ("bool", "ubsan: 2 is no value of '_Bool'"),
    ("unreachable", "ubsan: unreachable code was reached"),
]
POISON = [
    ("heap_write", "heap: write behind an object"),
    ("heap_before", "heap: write before an object"),
    ("memcpy", "heap: write behind an object"),
    ("write_after_free", "heap: write after free"),
    ("page_after_free", "heap: write to a freed page"),
    ("double_free", "heap: double free"),
]
POISON_AT_BOOT = [
    ("memcpy", "poison: write behind an object of cache kmalloc-32"),
    ("write_after_free", "poison: write after free to an object of cache kmalloc-2048"),
    ("page_after_free", "poison: write to a free page"),
    ("double_free", "poison: double free of an object of cache kmalloc-256"),
]


def judge(report: str, image: Path, bug: str, says: str, line: bool) -> None:
    function = f"plant_{bug}"
    panic = re.search(r"(?m)^panic: (.*)$", report)
    assert panic and panic.group(1).startswith(says), report
    assert panic.group(1).endswith(f" in {function}"), report
    first = FRAME.search(report.partition("\nbacktrace:")[2])
    assert first and first.group(2) == function, report
    if line:
        assert wrong_line(image, first.group(1), function), report


@pytest.mark.parametrize(("bug", "says"), KASAN, ids=[bug for bug, _ in KASAN])
def test_kasan_finds(boot, bug, says):
    image = kernel("kasan ubsan")
    report = plant(boot, image, bug)
    judge(report, image, bug, says, line=True)
    if says.startswith(("kasan: out of bounds of", "kasan: use of")):
        return
    allocated = report.partition("allocated by:")[2].partition("\noops")[0]
    assert f"plant_{bug}+" in allocated, report
    if "free" in says:
        assert f"plant_{bug}+" in report.partition("freed by:")[2].partition("backtrace:")[0], report


@pytest.mark.parametrize(("bug", "says"), UBSAN, ids=[bug for bug, _ in UBSAN])
def test_ubsan_finds(boot, bug, says):
    image = kernel("kasan ubsan")
    report = plant(boot, image, bug)
    judge(report, image, bug, says, line=True)
    place = re.search(r"at kernel/check/(planted_\w+\.c:\d+) in ", report)
    assert place and says_wrong(place[1]), report


@pytest.mark.parametrize(("bug", "says"), POISON, ids=[bug for bug, _ in POISON])
def test_poison_finds(boot, bug, says):
    """What was written is found later, when the object is freed or given out again, so the line is another."""
    image = kernel("poison")
    report = plant(boot, image, bug)
    judge(report, image, bug, says, line=False)
    assert f"plant_{bug}+" in report.partition("by:")[2].partition("backtrace:")[0] or bug == "page_after_free", report


@pytest.mark.parametrize(("bug", "says"), POISON_AT_BOOT, ids=[bug for bug, _ in POISON_AT_BOOT])
def test_poison_at_boot_finds(boot, bug, says):
    """The same kernel without the argument goes on."""
    assert f"panic: {says}" in plant(boot, kernel(""), bug, append="poison")


def test_silent_on_a_shell(shell):
    m = shell(kernel=kernel("kasan ubsan"), smp=4)
    for command in ("ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x", "cat d/x | wc", "rm -r d", "ps", "free"):
        m.run(command)
    m.poweroff()


def test_without_checks_nothing_is_left():
    """Off without cost: the plain kernel has no symbol of a check."""
    symbols = paths.run("nm", paths.KERNEL).stdout
    assert not re.search(r" (__asan|__ubsan|__tsan|__sanitizer_cov|kasan_|heap_new|heap_page_|leak_|fail_now|fail_set|sleeping_lock|"
                         r"hold_us|race_|check_range|raw_memcpy|kcov_|write_maze|chaos_|time_set_mark|sched_waiting|plant)", symbols)
