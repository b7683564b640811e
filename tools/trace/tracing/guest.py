"""One command in a machine, traced: boots a copy of the disk whose init is a script that does it, and fetches the text.

The script is put into the copy by debugfs. The text leaves by a second disk, an empty file of the host to which the guest
writes as to a device, so it needs no room on the first one. Its last line says that nothing is missing.
"""
from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from .text import TraceError

BEGIN = b"trace: the command begins"
END = "# end, status "
CRASH_ENDS = 5  # seconds; by then the machine should have reset itself
SIZES = (65536, 16384, 4096, 1024, 256)
ROOM = 1 << 30  # bytes of text at most; the file is sparse
CRASH = re.compile(rb"(?m)^\W*(panic:|oops\b)[^\r\n]*")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# The guest's shell may be ours or busybox. The command is a file of its own, so nothing needs quoting.
INIT = """\
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=vt100
trace=/proc/trace
if [ -e $trace/events ]; then
    echo all >$trace/filter
    echo "@BEGIN@"
    for size in @SIZES@; do # the largest for which there is memory
        { echo $size >$trace/size && echo 1 >$trace/on; } 2>/dev/null && break
    done
    /bin/sh /trace.command
    status=$?
    echo 0 >$trace/on
    { cat $trace/events; echo "@END@$status"; } >/dev/vdb
else
    echo "# this kernel has no /proc/trace" >/dev/vdb
fi
echo s >/proc/sysrq-trigger
echo o >/proc/sysrq-trigger
"""


class Machine(NamedTuple):
    kernel: str
    image: str
    cpus: str
    mem: str
    append: str
    qemu: str


def _command(command: list[str], what: str) -> None:
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}  # where e2fsprogs lives
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
    except OSError as why:
        raise TraceError(f"{what}: {command[0]}: {why.strerror} (make setup installs it)") from None
    if done.returncode:
        raise TraceError(f"{what}: {done.stderr.strip()[-300:]}")


def _disk(machine: Machine, command: str, size: int, folder: Path) -> Path:
    """A copy of the image with our two files in it."""
    disk = folder / "disk"
    sizes = [str(size), *(str(n) for n in SIZES if n < size)]
    init = INIT.replace("@SIZES@", " ".join(sizes)).replace("@BEGIN@", BEGIN.decode()).replace("@END@", END)
    (folder / "init").write_text(init)
    (folder / "command").write_text(command + "\n")
    _command(["cp", "--reflink=auto", "--sparse=always", machine.image, str(disk)], f"copying {machine.image}")
    for name in ("init", "command"):
        _command(["debugfs", "-w", "-R", f"write {folder / name} trace.{name}", str(disk)], f"writing to the copy of {machine.image}")
    return disk


def _qemu(machine: Machine, disk: Path, out: Path) -> list[str]:
    append = f"root=/dev/vda rw panic=-1 {machine.append} init=/bin/sh -- /trace.init"
    drives = []
    for number, file in enumerate((disk, out)):
        drives += ["-drive", f"file={file},format=raw,if=none,id=d{number}", "-device", f"virtio-blk-device,drive=d{number}"]
    return [machine.qemu, "-machine", "virt", "-bios", "default", "-smp", machine.cpus, "-m", machine.mem, "-nographic",
            "-no-reboot", "-global", "virtio-mmio.force-legacy=false", "-kernel", machine.kernel, "-append", append, *drives,
            "-device", "virtio-rng-device"]


def _watch(qemu: subprocess.Popen) -> bytes:
    """All that the machine prints until it ends; what the command prints is shown as it comes. A kernel that crashed
    gets some seconds to say all of it."""
    text, shown, end = b"", -1, None
    fd = qemu.stdout.fileno()
    while select.select([fd], [], [], None if end is None else max(0, end - time.monotonic()))[0]:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            break
        text += chunk
        at = text.find(BEGIN) if shown < 0 else -1
        if at >= 0 and b"\n" in text[at:]:
            shown = text.index(b"\n", at) + 1
        if shown >= 0:
            sys.stdout.buffer.write(text[shown:])
            sys.stdout.flush()
            shown = len(text)
        if end is None and CRASH.search(text[-10000:]):
            end = time.monotonic() + CRASH_ENDS
    return text


def _last_lines(console: bytes) -> str:
    text = ESCAPE.sub("", console.decode(errors="replace")).replace("\r", "")
    return "\n".join(text.strip().splitlines()[-40:])


def run(machine: Machine, command: str, size: int) -> tuple[list[str], int]:
    """The lines of the trace, and with what status the command ended. What it prints is shown on standard output."""
    for file in (machine.kernel, machine.image):
        if not Path(file).exists():
            raise TraceError(f"there is no {file}")
    with tempfile.TemporaryDirectory(prefix="xv39-trace-") as name:
        folder = Path(name)
        out = folder / "out"
        with out.open("wb") as file:
            file.truncate(ROOM)
        line = _qemu(machine, _disk(machine, command, size, folder), out)
        stdin = None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL
        try:
            qemu = subprocess.Popen(line, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as why:
            raise TraceError(f"{machine.qemu}: {why.strerror}") from None
        try:
            console = _watch(qemu)
        finally:
            qemu.kill()
            qemu.wait()
        return _lines(out, console, "" if BEGIN in console else f"; the end of its console:\n\n{_last_lines(console)}")


def _lines(out: Path, console: bytes, end: str) -> tuple[list[str], int]:
    with out.open("rb") as file:  # text, and then the zeros that were there before
        lines = []
        for line in file:
            if line.startswith(b"\0"):
                break
            lines.append(line.decode(errors="replace").rstrip("\n"))
    crash = CRASH.search(console)
    if crash:
        raise TraceError(f"the guest's kernel crashed: {crash[0].decode(errors='replace').strip()}{end}")
    if lines and lines[0].startswith("# this kernel has no"):
        raise TraceError("this kernel has no /proc/trace")
    if not lines or not lines[-1].startswith(END):
        what = "the trace is not complete" if lines else "there is no trace"
        raise TraceError(f"{what}: the machine ended before it had written all{end}")
    return lines[:-1], int(lines[-1].removeprefix(END))
