"""Traces for tests: made of lines by hand, or by tools/trace/run on the real kernel."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import images, paths, speed

sys.path.insert(0, str(paths.TOP / "tools/trace"))

from tracing import page, story, text  # noqa: E402,F401
from tracing.story import BEGIN_CUT, END_CUT, Story  # noqa: E402,F401
from tracing.text import TraceError  # noqa: E402,F401

TOOL = paths.TOP / "tools/trace/run"


def by_hand(lines: str, *, harts: int = 2, lost: str = "", on: int = 1000, off: int = 100_000,
            tasks: str = '1 1 "init"; 5 5 "a"; 6 6 "b"') -> Story:
    """Lines of events with the time in nanoseconds; blank ones and indentation do not count."""
    head = ["# xv39 trace 1", f"# harts {harts}", *(f"# lost {l}" for l in lost.split(";") if l), f"# on {on} off {off}",
            *(f"# task {t.strip()}" for t in tasks.split(";"))]
    for line in filter(None, map(str.strip, lines.splitlines())):
        ns, rest = line.split(" ", 1)
        head.append(f"{int(ns) // 10**9}.{int(ns) % 10**9:09} {rest}")
    return story.Story(text.read(head))


def image_with(folder: Path, files: dict[str, Path]) -> Path:
    """A copy of our disk with these files added: {path there: file here}."""
    image = folder / "disk.img"
    paths.run("cp", "--sparse=always", paths.FSIMG, image)
    for there, here in files.items():
        paths.run("debugfs", "-w", "-R", f"write {here} {there}", image)
    return image


# What tests/trace/conftest.py traces, in this order; a line of its own, "-", between what they print.
ROUNDS, DEPTH, COLD = 20, 3, 300 * 1024  # of the ball; of the tree of processes; bytes of a file that was not read before
WORKLOADS = [f"traced pingpong {ROUNDS}", f"traced tree {DEPTH}", "traced read /cold", "traced kill", "false"]


def program(folder: Path) -> Path:
    return images.build(paths.TOP / "tests/programs/traced.c", folder / "traced")


def tool(*arguments, timeout: float = 180) -> subprocess.CompletedProcess:
    """tools/trace/run: whatever it says and however it ends."""
    return subprocess.run([sys.executable, str(TOOL), *map(str, arguments)], capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=timeout * speed.factor())


class Traced:
    """A command that was run and traced: what it printed, the kernel's text, and the files that came of it."""

    def __init__(self, folder: Path, image: Path, command: str, *, cpus: int = 2, size: int = 65536) -> None:
        self.json = folder / "trace.json"
        self.html = self.json.with_suffix(".html")
        done = tool("--kernel", paths.KERNEL, "--image", image, "--cpus", cpus, "--size", size, "--out", self.json, command)
        assert done.returncode == 0, done.stdout + done.stderr
        self.output, self.said = done.stdout.replace("\r", ""), done.stderr
        self.lines = self.json.with_suffix(".txt").read_text().splitlines()
        self.trace = text.read(self.lines)
        self.story = Story(self.trace)
