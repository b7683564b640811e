#!/usr/bin/env python3
"""Runs the benchmarks on our kernel and prints them beside Linux's: see README.md here. Called by `make bench`."""
from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import plot  # noqa: E402
from xv39 import images, paths, speed  # noqa: E402

BASELINE = HERE / "baseline.json"
RESULT = paths.TOP / "build/bench.json"
TOLERANCE = 1.03
# Booting waits for the host's disk, awake, so this row counts the host's slowness too. Its limit is the promise: 60 million.
LIMITS = {"boot.init": 60e6}
MACHINE_KIB = 128 * 1024
OWN = ["ipc.jos_rt", "ipc.jos_send_recv"]  # rows of calls that Linux has not

Figures = dict[str, float | None]  # None: the kernel cannot run the row


def linux_figures() -> dict[str, float]:
    """Linux's figure of each row: the lower of both columns."""
    figures = {}
    for line in (HERE / "linux-6.12.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            name, *columns = line.split("\t")
            figures[name] = min(float(column) for column in columns if column != "-")
    # A page written after fork costs at least what a copy does (mem.fault_cow).
    figures |= {"proc.fork_parent_writes": 4976, "proc.fork_child_writes": 4976}
    # From that file's remarks.
    figures |= {"boot.init": 940e6, "memory.taken": 13208, "memory.outside": 67908}
    return figures


def make_image(folder: Path) -> Path:
    root = images.folders(folder / "root")
    images.build(HERE / "kbench.c", root / "bin/kbench")
    images.build(HERE / "init.c", root / "bin/init")
    return images.make_ext2(folder / "bench.img", root, "16M")


def boot(image: Path, log: Path, arguments: str, mem: str, icount: bool) -> dict[str, list[str]]:
    """Run one machine to its end; the lines `name<TAB>value...` of its console."""
    log.unlink(missing_ok=True)
    command = [paths.QEMU, "-machine", "virt", "-bios", "default", "-smp", "1", "-m", mem, "-seed", "1",
               "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-display", "none", "-monitor", "none", "-nic", "none",
               "-serial", f"file:{log}", "-no-reboot", "-global", "virtio-mmio.force-legacy=false",
               "-kernel", str(paths.KERNEL), "-append", f"root=/dev/vda rw panic=-1 init=/bin/init -- {arguments}",
               "-drive", f"file={image},format=raw,if=none,id=d0,snapshot=on", "-device", "virtio-blk-device,drive=d0"]
    if icount:
        command += ["-icount", "shift=0,sleep=off"]
    command += os.environ.get("XV39_QEMU_EXTRA", "").split()
    if not run_until_end(command, log, 900 * speed.factor()):
        print(f"bench: `{arguments}` did not end in time; the console is in {log}", file=sys.stderr)
    rows = {}
    for line in log.read_text(errors="replace").splitlines():
        name, *values = line.split("\t")
        if values:
            rows[name] = values
        elif line.startswith("panic:"):
            print(f"bench: {line}; the console is in {log}", file=sys.stderr)
    return rows


def run_until_end(command: list[str], log: Path, seconds: float) -> bool:
    """Run QEMU until it ends, or until init's last line is in the log: with sleep=off a machine that has switched
    itself off may go on computing, as nothing is left to stop its clock."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    limit = time.monotonic() + seconds
    try:
        while time.monotonic() < limit:
            ended = log.exists() and b"\nbench.end" in log.read_bytes()
            try:
                process.wait(2 if ended else 0.5)
                return True
            except subprocess.TimeoutExpired:
                if ended:
                    return True
        return False
    finally:
        process.kill()
        process.wait()


def measure(wanted: list[str]) -> Figures:
    linux = linux_figures()
    rows = [n for n in [*linux, *OWN] if not n.startswith(("boot.", "memory.")) and (not wanted or n in wanted)]
    figures: Figures = {}
    logs = paths.LOGS
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xv39-") as folder:
        image = make_image(Path(folder))
        if not wanted:
            said = boot(image, logs / "bench-boot.log", "boot", "2G", icount=True)
            figures["boot.init"] = float(said["boot.init"][0]) if "boot.init" in said else None
            said = boot(image, logs / "bench-memory.log", "memory", "128M", icount=True)
            info = {n[8:]: int(v[0]) for n, v in said.items() if n.startswith("meminfo.")}
            if "MemTotal" in info:
                figures["memory.taken"] = info["MemTotal"] - info["MemFree"] - info.get("Cached", 0)
                figures["memory.outside"] = MACHINE_KIB - info["MemTotal"]
        # By prefixes: an init gets few arguments. The rows left out (runq.hog) have no figure of Linux's.
        prefixes = sorted({name.split(".")[0] for name in rows} - {"runq"}) + ["runq.yield"]
        said = boot(image, logs / "bench.log", " ".join(wanted or prefixes), "2G", icount=True)
        for name in rows:
            values = said.get(name, ["skip"])
            figures[name] = None if values[0] == "skip" else float(values[0])
    return figures


def report(figures: Figures, baseline: dict[str, float]) -> list[str]:
    """Print the table; the rows that are worse than the baseline allows."""
    linux = linux_figures()
    ratios, worse = [], []
    print(f"{'row':24}{'xv39':>12}{'Linux':>12}{'ratio':>8}{'baseline':>12}")
    for name, value in figures.items():
        old = baseline.get(name)
        shown = "skip" if value is None else f"{value:.0f}"
        other = linux.get(name)
        ratio = "" if value is None or not other else f"{value / other:.2f}"
        mark = ""
        if value is None:
            if old is not None:
                mark = "  no longer runs"
                worse.append(name)
        else:
            if other and not name.startswith("memory."):
                ratios.append(max(value, 0.1) / other)
            if old is not None and value > LIMITS.get(name, old * TOLERANCE):
                mark = f"  {100 * (value / old - 1):+.1f} %"
                worse.append(name)
        print(f"{name:24}{shown:>12}{f'{other:.0f}' if other else '-':>12}{ratio:>8}{'' if old is None else f'{old:.0f}':>12}{mark}")
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of {len(ratios)} ratios: {mean:.3f}")
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline", choices=["check", "write"], default="check")
    parser.add_argument("rows", nargs="*", help="only these rows of kbench")
    options = parser.parse_args()
    figures = measure(options.rows)
    whole = baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if options.rows:
        baseline = {name: value for name, value in baseline.items() if name in options.rows}
    worse = report(figures, baseline)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1) + "\n")
    if options.baseline == "write":
        kept = {name: value for name, value in figures.items() if value is not None}
        BASELINE.write_text(json.dumps(whole | kept if options.rows else kept, indent=1) + "\n")
        figures, book = json.loads(BASELINE.read_text()), paths.TOP / "docs/ipc.md"
        plot.write(paths.TOP / "docs/img/costs.svg", figures, linux_figures())
        book.write_text(plot.table(book.read_text(), figures, linux_figures()))
        return 0
    plot.write(RESULT.with_name("ipc.svg"), figures, linux_figures())
    if worse:
        print(f"bench: worse than tests/bench/baseline.json by over {100 * TOLERANCE - 100:.0f} %: {', '.join(worse)}")
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
