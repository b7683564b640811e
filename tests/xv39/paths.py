"""Where things are, and which tools this run uses; the Makefile passes its variables on in the environment."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
KERNEL = Path(os.environ.get("KERNEL", TOP / "kernel/kernel"))
FSIMG = Path(os.environ.get("FSIMG", TOP / "fs.img"))
LOGS = TOP / "tests/logs"
QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
CI = bool(os.environ.get("CI"))

os.environ["PATH"] += ":/usr/sbin:/sbin"  # where e2fsprogs lives


def find_tool(*names: str) -> str | None:
    """The first of these commands that exists."""
    return next((name for name in names if shutil.which(name)), None)


def gdb() -> str | None:
    """The debugger for riscv64; XV39_GDB names another."""
    return os.environ.get("XV39_GDB") or find_tool("gdb-multiarch", "riscv64-unknown-elf-gdb", "riscv64-elf-gdb")


def kernel_gcc() -> str:
    prefix = os.environ.get("TOOLPREFIX")
    gcc = f"{prefix}gcc" if prefix else find_tool(
        "riscv64-unknown-elf-gcc", "riscv64-linux-gnu-gcc", "riscv64-elf-gcc")
    assert gcc, "no compiler for riscv64: make setup"
    return gcc


def run(*command, timeout: float = 300, **more) -> subprocess.CompletedProcess:
    """A command of the host: must succeed, what it printed is shown if it does not."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=timeout, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done
