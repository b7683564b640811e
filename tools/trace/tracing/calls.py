"""Arguments and results of system calls, and times, as people read them. The kernel's own list says what arguments are."""
from __future__ import annotations

import errno
import re
from functools import lru_cache
from pathlib import Path

LIST = Path(__file__).resolve().parents[3] / "kernel/include/abi/syscalls.def"
NUMBERS = {"fd", "dirfd", "int", "pid", "tid", "sig", "uid", "gid", "clock", "op"}  # C's int
COUNTS = {"size", "count", "off"}


@lru_cache(maxsize=None)
def _kinds() -> dict[int, list[str]]:
    found = re.findall(r'(?m)^SYSCALL\((\d+), \w+, "([^"]*)"\)', LIST.read_text()) if LIST.exists() else []
    return {int(nr): [kind for kind in kinds.split(",") if kind] for nr, kinds in found}


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _argument(kind: str, value: int) -> str:
    if kind in NUMBERS:
        low = value & 0xffffffff
        low -= (low >> 31) << 32
        return "AT_FDCWD" if kind == "dirfd" and low == -100 else str(low)
    if kind in COUNTS:
        return str(_signed(value))
    return f"0{value:o}" if kind == "mode" else hex(value)


def arguments(args: dict) -> str:
    """read(3, 0x3ffff0, 1)"""
    kinds = _kinds().get(args["nr"], ["arg"] * 6)
    values = [_argument(kind, int(args[f"a{n}"])) for n, kind in enumerate(kinds[:6]) if f"a{n}" in args]
    return f"{args['name']}({', '.join(values)})"


def result(value: int) -> str:
    """0, -2 ENOENT; a large one is an address."""
    value = _signed(value)
    if -4096 < value < 0:
        name = errno.errorcode.get(-value)
        return f"{value} {name}" if name else str(value)
    return hex(value) if value >= 1 << 31 else str(value)


def duration(ns: int) -> str:
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1000)):
        if ns >= size:
            return f"{ns / size:.4g} {unit}"
    return f"{ns} ns"
