"""Kernels with checks built in, CHECK=…, and with bugs planted for them."""
from __future__ import annotations

import fcntl
import math
import os
import re
from functools import lru_cache
from pathlib import Path

from . import paths, speed


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
