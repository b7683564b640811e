"""One virtual machine: QEMU as the contract in docs says it is started, its console in our hands and in a log.

    with Machine(disks=[paths.FSIMG], smp=4) as m:
        m.wait_prompt()
        status, output = m.run("echo hello")
        m.poweroff()

Each machine works on copies of its disks. A `panic:` or an oops on the console ends whatever is being waited for
with a Crash, unless the test said that it is what it waits for.
"""
from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterable

import pexpect

from . import paths, speed

PROMPT = r"[$#>] (?=\x1b|$)"
CRASH = re.compile(r"(?m)^\W*(panic:|oops\b|Oops\b|kernel BUG)[^\r\n]*[\r\n]")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TAIL = 60  # lines of the log shown for a failed test

_serial = itertools.count(1)


class Crash(AssertionError):
    """The kernel panicked or said oops."""


class Timeout(AssertionError):
    """What was expected did not come."""


def wrapped(text: str) -> str:
    """A pattern for text that a line editor may have broken at the terminal's edge."""
    return r"[\r\n]*".join(re.escape(letter) for letter in text)


class Machine:
    """The contract's command line plus `extra`; everything that is not given is as `make qemu` has it."""

    def __init__(self, *, disks: Iterable[Path] = (), smp: int = 1, mem: str = "128M", append: str = "",
                 root: str | None = "root=/dev/vda rw", kernel: Path | None = None, name: str = "machine",
                 extra: Iterable[str] = (), no_reboot: bool = True, shell: str = "xv39") -> None:
        self.shell = shell  # whose rules run() follows: "xv39" (our sh) or "posix"
        self.folder = Path(tempfile.mkdtemp(prefix="xv39-"))
        self.disks = [self._copy(disk, number) for number, disk in enumerate(disks)]
        self.number = next(_serial)
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        self.log = paths.LOGS / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}-{self.number}.log"
        self.command = [paths.QEMU, "-machine", "virt", "-bios", "default", "-smp", str(smp), "-m", mem,
                        "-nographic", "-global", "virtio-mmio.force-legacy=false",
                        "-kernel", str(kernel or paths.KERNEL), "-append", " ".join(filter(None, [root, append]))]
        for number, disk in enumerate(self.disks):
            self.command += ["-drive", f"file={disk},format=raw,if=none,id=d{number}",
                             "-device", f"virtio-blk-device,drive=d{number}"]
        if no_reboot:
            self.command.append("-no-reboot")
        self.command += [*extra, *os.environ.get("XV39_QEMU_EXTRA", "").split()]
        self._log_file = self.log.open("w", errors="replace", newline="")
        self._log_file.write(" ".join(self.command) + "\n")
        self._log_file.flush()
        self.console = pexpect.spawn(self.command[0], self.command[1:], encoding="utf-8", codec_errors="replace",
                                     echo=False, dimensions=(24, 200), timeout=None)
        self.console.logfile_read = self._log_file
        self.console.delaybeforesend = None

    def _copy(self, disk: Path, number: int) -> Path:
        copy = self.folder / f"disk{number}.img"
        paths.run("cp", "--reflink=auto", "--sparse=always", disk, copy)
        return copy

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End QEMU and drop the disks' copies. May be called twice."""
        try:
            self.console.close(force=True)
        except pexpect.ExceptionPexpect:  # it was killed, but on a busy machine does not go as soon as pexpect expects
            if self.console.ptyproc.isalive():
                self.console.ptyproc.wait()
            self.console.ptyproc.closed = self.console.closed = True
        self._log_file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the console

    def text(self) -> str:
        """All that came so far, after the firmware's own lines."""
        return clean(self.log.read_bytes().decode(errors="replace")).split("Boot HART MEDELEG")[-1].partition("\n")[2]

    def tail(self) -> str:
        lines = clean(self.log.read_bytes().decode(errors="replace")).splitlines()
        return "\n".join(lines[-TAIL:])

    def expect(self, pattern: str, timeout: float = 60, crash_ok: bool = False) -> re.Match | None:
        """Wait for a regular expression. Text before it is in .before; None when the machine has ended (pattern EOF)."""
        wanted = pexpect.EOF if pattern == "EOF" else re.compile(pattern)
        patterns = [wanted] if crash_ok else [CRASH, wanted]
        if wanted is not pexpect.EOF:
            patterns.append(pexpect.EOF)
        limit = timeout * speed.factor()
        try:
            which = patterns[self.console.expect(patterns, timeout=limit)]
        except pexpect.TIMEOUT:
            raise Timeout(f"{pattern!r} did not come in {limit:.0f} s; the log is {self.log}") from None
        if which is CRASH:
            line = self.console.match.group(0).strip()
            self._read_on(3)
            raise Crash(f"{line}; the log is {self.log}")
        if which is pexpect.EOF and wanted is not pexpect.EOF:
            raise AssertionError(f"the machine ended before {pattern!r} came; the log is {self.log}")
        return None if which is pexpect.EOF else self.console.match

    def _read_on(self, seconds: float) -> None:
        """Let the rest of a crash report reach the log."""
        self.console.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=seconds * speed.factor())

    @property
    def before(self) -> str:
        text = self.console.before
        return clean(text) if isinstance(text, str) else ""

    def send(self, text: str) -> None:
        self.console.send(text)

    def send_line(self, text: str) -> None:
        self.console.send(text + "\r")

    def control(self, letter: str) -> None:
        """Type ^letter."""
        self.console.send(chr(ord(letter.upper()) - 64))

    # ---- a shell on the console

    def wait_prompt(self, timeout: float = 60) -> None:
        self.expect(PROMPT, timeout)

    def run(self, command: str, timeout: float = 60) -> tuple[int, str]:
        """Run one line at the shell: its status and what it printed.

        A marker with the status follows the command. The shell prints it in one piece; the typed line shows it
        after `echo `, or cut in two by quotes, so that the echo of the typing is never taken for it.
        """
        marker = f"Q{os.urandom(5).hex()}Z"
        if self.shell == "posix":
            self.send_line(f"{command}; echo {marker[:6]}''{marker[6:]}-$?")
            echo = f"{marker[6:]}-$?"
        else:
            self.send_line(f"{command}; echo {marker}-$?")
            echo = f"echo {marker}-$?"
        status = int(self.expect(rf"{marker}-(\d+)[^\r\n]*[\r\n]+", timeout)[1])
        # What the kernel says may come into the midst of what is typed.
        typed = re.search(wrapped(echo), self.console.before) or re.search(r"\n|$", self.console.before)
        output = clean(self.console.before[typed.end():]).lstrip("\n")
        self.expect(PROMPT, timeout)
        return status, output

    def check(self, command: str, timeout: float = 60) -> str:
        """run(), and the command must have succeeded."""
        status, output = self.run(command, timeout)
        assert status == 0, f"{command}: status {status}\n{output}"
        return output

    def until(self, command: str, good: str | Callable[[str], object], times: int = 200) -> str:
        """check() again and again until what is printed has that pattern or satisfies that: for what others do takes its time."""
        for _ in range(times):
            said = self.check(command)
            if good(said) if callable(good) else re.search(good, said):
                return said
        raise AssertionError(f"{command}: {said}")

    # ---- the end

    def wait_end(self, timeout: float = 60, crash_ok: bool = False) -> int:
        """Wait until QEMU ends by itself: its exit status."""
        self.expect("EOF", timeout, crash_ok)
        self.console.close()
        return self.console.exitstatus if self.console.exitstatus is not None else -1

    def poweroff(self, command: str = "poweroff", fsck: bool = True) -> None:
        """Switch off by the program of that name; the disks must be clean afterwards."""
        self.send_line(command)
        assert self.wait_end() == 0
        if fsck:
            for disk in self.disks:
                assert_clean(disk)

    def running(self) -> bool:
        return self.console.isalive()

    def quiet_for(self, seconds: float) -> bool:
        """Whether nothing at all is printed in that time (of the host, not scaled)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.console.read_nonblocking(1000, timeout=max(0.01, end - time.monotonic())):
                    return False
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                return True
        return True


def clean(text: str) -> str:
    """Console text as a program wrote it: no escape sequences, lines ended by one newline."""
    return re.sub(r"\r+\n", "\n", ESCAPE.sub("", text)).replace("\r", "")


def fsck(disk: Path) -> tuple[int, str]:
    """The host's verdict on an ext2 or ext3 image, which is not changed: e2fsck's status and report."""
    done = subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, timeout=300 * speed.factor())
    return done.returncode, done.stdout + done.stderr


def assert_clean(disk: Path) -> None:
    status, report = fsck(disk)
    assert status == 0, f"e2fsck -fn found (status {status}):\n{report}"
