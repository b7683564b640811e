"""Kernels with checks built in, CHECK=…, and with bugs planted for them."""
from __future__ import annotations

import fcntl
import os
from functools import lru_cache
from pathlib import Path

from . import paths


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
