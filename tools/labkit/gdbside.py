"""A test that looks at the machine from outside, in a debugger at QEMU's stub: at registers and page tables, which no kernel can forge.

A test whose lab.toml says `gdb = "hidden_x.py"` has a machine of its own. Its C case calls look(stage, at, value) where something
is to be seen; the script has

    judge(guest, seed)       asserts what must hold; guest.stop() lets the machine run until the next look()

The debugger knows the symbols of the judging program only. Those of the submission's kernel, and scripts that may hide in it, are
never loaded: what a script sees is what the hardware defines, found by satp, registers and physical memory.

One file, two sides: imported by the grader it starts gdb (Debugger); run inside gdb, at the end, it runs the script.
"""
from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

PAGE = 4096
V, R, W, X, U = 1, 2, 4, 8, 16  # bits of an Sv39 entry


# ---- in the grader

def options(work: Path) -> list[str]:
    """QEMU waits for the debugger before the first instruction."""
    (work / "gdb").unlink(missing_ok=True)
    return ["-S", "-chardev", f"socket,id=gdb,path={work / 'gdb'},server=on,wait=off", "-gdb", "chardev:gdb"]


class Debugger:
    """gdb with one script, beside a machine that runs."""

    def __init__(self, script: Path, program: Path, work: Path, seed: int) -> None:
        from xv39 import paths, speed

        self.out, gdb, limit = work / "gdb.said", paths.gdb(), time.monotonic() + 30 * speed.factor()
        self.out.unlink(missing_ok=True)
        while not (work / "gdb").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        env = os.environ | {"LAB_SCRIPT": str(script), "LAB_SOCKET": str(work / "gdb"), "LAB_OUT": str(self.out), "LAB_SEED": str(seed)}
        self.process = subprocess.Popen([gdb, "-nx", "-batch", "-iex", "set auto-load off", "-ex", f"file {program}", "-x", __file__],
                                        env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=open(work / "gdb.log", "w"),
                                        stderr=subprocess.STDOUT)
        self.log, self.limit = work / "gdb.log", 30 * speed.factor()

    def said(self) -> str:
        """When the machine has ended: what the script found wrong, nothing if all is well."""
        try:
            self.process.wait(self.limit)
        except subprocess.TimeoutExpired:
            return "the debugger's part did not come to an end"
        if not self.out.exists():
            return f"the debugger's part did not begin: {self.log.read_text(errors='replace')[-300:]}"
        return self.out.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


# ---- in gdb

Look = namedtuple("Look", "stage at value")


class Guest:
    """The machine, stopped at a look(); see stop()."""

    def __init__(self, gdb, socket: str) -> None:
        self.gdb = gdb
        for command in ("set pagination off", "set confirm off", "set riscv use-compressed-breakpoints yes", f"target remote {socket}",
                        "break *look"):
            gdb.execute(command, to_string=True)

    def register(self, name: str) -> int:
        return int(self.gdb.parse_and_eval(f"(unsigned long)${name}"))

    def stop(self) -> Look:
        """Let the machine run until the next look()."""
        where = int(self.gdb.parse_and_eval("(unsigned long)&look"))
        try:
            self.gdb.execute("continue", to_string=True)
            here = self.register("pc")
        except self.gdb.error:
            here = 0
        assert here == where, "the machine ended, or was stopped, before the test had come to its end"
        return Look(self.register("a0"), self.register("a1"), self.register("a2"))

    def physical(self, address: int, size: int = 8) -> bytes:
        """Of RAM, whatever is mapped."""
        for mode in (1, 0):
            self.gdb.execute(f"maintenance packet Qqemu.PhyMemMode:{mode}", to_string=True)
            if mode:
                self.gdb.execute("maintenance flush dcache", to_string=True)
                data = bytes(self.gdb.selected_inferior().read_memory(address, size))
        return data

    def entry(self, address: int) -> int:
        """The Sv39 entry by which the hart that stopped here sees this user address: 0 if there is none that is valid."""
        table = (self.register("satp") & ((1 << 44) - 1)) * PAGE
        for level in (2, 1, 0):
            at = table + (address >> (12 + 9 * level) & 511) * 8
            entry = int.from_bytes(self.physical(at), "little")
            if not entry & V:
                return 0
            if entry & (R | W | X) or level == 0:
                return entry
            table = (entry >> 10 & ((1 << 44) - 1)) * PAGE
        return 0

    @staticmethod
    def frame(entry: int) -> int:
        """The physical address of the frame that an entry leads to."""
        return (entry >> 10 & ((1 << 44) - 1)) * PAGE


def inside() -> None:
    import gdb  # type: ignore

    said, guest = "", None
    scope: dict = {}
    try:
        guest = Guest(gdb, os.environ["LAB_SOCKET"])
        exec(compile(Path(os.environ["LAB_SCRIPT"]).read_text(), os.environ["LAB_SCRIPT"], "exec"), scope)
        scope["judge"](guest, int(os.environ["LAB_SEED"]))
    except AssertionError as wrong:
        said = str(wrong).split("\n")[0] or "not as it should be"
    except gdb.error as wrong:
        said = f"gdb: {wrong}"
    Path(os.environ["LAB_OUT"]).write_text(said)
    try:
        gdb.execute("delete", to_string=True)
        gdb.execute("detach", to_string=True)
    except gdb.error:
        pass


if "gdb" in sys.modules and os.environ.get("LAB_SCRIPT"):
    inside()
