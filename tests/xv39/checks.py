"""Kernels with checks built in, CHECK=…, and with bugs planted for them."""
from __future__ import annotations

import fcntl
import math
import os
import re
from functools import lru_cache
from pathlib import Path

from . import paths, speed

FRAME = re.compile(r"(?m)^  ([0-9a-f]{16}) (\w+)\+0x")  # a line of a call chain: address, function


@lru_cache(maxsize=None)
def kernel(check: str, plant: bool = True) -> Path:
    """The kernel with these checks, built in a folder of its own."""
    words = [*check.split(), *(["plant"] if plant else [])]
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KERNEL")}
    lock = paths.TOP / "build/.lock"
    with lock.open("w") as only_one:  # several processes may run tests
        fcntl.flock(only_one, fcntl.LOCK_EX)
        paths.run("make", "-s", "-j2", "kernel", f"CHECK={check}", *(["PLANT=1"] if plant else []), cwd=paths.TOP,
                  env=env, timeout=900)
    return paths.TOP / "build" / "-".join(words) / "kernel/kernel"


def plant(boot, image: Path, bug: str, append: str = "", timeout: float = 60, **how) -> str:
    """The console from the call of a bug (kernel/check/planted_*.c) to the machine's end."""
    m = boot(kernel=image, append=f"panic=-1 {append}", **how)
    m.wait_prompt(timeout)
    m.send_line(f"echo {bug} > /proc/xv39/plant")
    m.wait_end(timeout, crash_ok=True)
    return m.before


def source_of(image: Path, *addresses: str) -> list[tuple[str, str]]:
    """Functions and places (file:line) that these addresses belong to, those of inlined functions too."""
    tool = paths.kernel_gcc().removesuffix("gcc") + "addr2line"
    lines = paths.run(tool, "-f", "-i", "-e", image, *addresses).stdout.splitlines() if addresses else []
    return list(zip(lines[::2], lines[1::2]))


def says_wrong(place: str) -> bool:
    """place: .../kernel/check/planted_KIND.c:LINE"""
    match = re.search(r"(planted_\w+\.c):(\d+)", place)
    return bool(match) and "// wrong" in (paths.TOP / "kernel/check" / match[1]).read_text().splitlines()[int(match[2]) - 1]


def wrong_line(image: Path, address: str, function: str) -> bool:
    """Does the address belong to the line of this function that planted_*.c calls wrong?"""
    return any(name == function and says_wrong(place) for name, place in source_of(image, address))


def scan(m) -> str:
    """The report of CHECK=leak after two scans: what a first one misses may be on its way."""
    m.check("echo scan > /proc/xv39/leak")
    m.check("echo scan > /proc/xv39/leak")
    return m.check("cat /proc/xv39/leak")


def assert_nothing_lost(m) -> None:
    report = scan(m)
    assert re.search(r"(?m)^lost 0, reached \d{3,}, scan \d+", report), report


def usertests(m, options: str = "", slower: int = 1, timeout: float = 600) -> str:
    """Run them all; slower: than the plain kernel, by about so much. usertests says every failure, and how many there were."""
    factor = math.ceil(slower * speed.factor())
    output = m.run(f"usertests -x {factor} {options}", timeout=timeout * slower)[1]
    summary = re.search(r"(?m)^usertests: \d+ passed, (\d+) failed", output)
    assert summary and summary.group(1) == "0", "\n".join(
        line for line in output.splitlines() if not line.startswith("ok "))[-3000:]
    return output
