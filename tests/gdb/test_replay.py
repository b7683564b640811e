"""D4: make qemu-record, make qemu-replay: the same run once more, in which gdb goes backwards too."""
from __future__ import annotations

import re
import socket
import subprocess

import pexpect
import pytest

from xv39 import paths, speed
from xv39.machine import PROMPT, clean

GDB = paths.gdb()
pytestmark = pytest.mark.skipif(GDB is None, reason="no gdb for riscv64: make setup")
COMMANDS = ["ls /", "echo hi >/x", "cat /x", "sync"]  # a line is shorter than the console's FIFO


def make(goal: str, folder, log, **variables) -> pexpect.spawn:
    """A goal of the Makefile on a terminal, with the recording in `folder`."""
    words = [f"{name}={value}" for name, value in {"RR": folder, "QEMU": paths.QEMU, **variables}.items()]
    console = pexpect.spawn("make", ["-s", goal, *words], cwd=paths.TOP, encoding="utf-8", codec_errors="replace",
                            echo=False, dimensions=(24, 200), timeout=60 * speed.factor())
    console.logfile_read = log.open("w", errors="replace", newline="")
    return console


def guest_text(log) -> str:
    """What the guest printed, firmware apart; QEMU's and make's own lines too are none of it."""
    text = clean(log.read_text(errors="replace")).split("Boot HART MEDELEG")[-1].partition("\n")[2]
    return re.sub(r"(?m)^(qemu-system|make).*\n?", "", text)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The folder with a recorded session; what it printed is in record.log."""
    folder = tmp_path_factory.mktemp("rr")
    console = make("qemu-record", folder, folder / "record.log")
    try:
        for command in [*COMMANDS, "poweroff"]:
            console.expect(PROMPT)
            console.send(command + "\r")
        console.expect(pexpect.EOF)
    finally:
        console.close(force=True)
        console.logfile_read.close()
    return folder


@pytest.fixture
def replay(recording, tmp_path):
    """replay(commands): what gdb says to them on the recording, which stands before the first instruction."""
    consoles = []

    def start(*commands: str) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        consoles.append(make("qemu-replay", recording, recording / "replay.log", GDBPORT=port))
        consoles[-1].expect("now start gdb")
        init = tmp_path / "gdbinit"
        init.write_text((paths.TOP / ".gdbinit.tmpl").read_text().replace("@PORT@", str(port)))
        arguments = [GDB, "-nx", "-batch", "-ex", "set tcp connect-timeout 60", "-x", init]
        for command in commands:
            arguments += ["-ex", command]
        try:
            done = subprocess.run(arguments, cwd=paths.TOP, capture_output=True, text=True, errors="replace",
                                  stdin=subprocess.DEVNULL, timeout=120 * speed.factor())
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"gdb did not finish {commands}:\n{(late.stdout or b'').decode(errors='replace')[-3000:]}")
        consoles[-1].expect(pexpect.EOF)
        return done.stdout + done.stderr

    yield start
    for console in consoles:
        console.close(force=True)
        console.logfile_read.close()


def where(said: str) -> list[str]:
    """The answers to AT, in order."""
    return re.findall(r"now at (0x[0-9a-f]+)", said)


AT = 'printf "now at %p\\n", $pc'


def test_D4_a_replay_is_the_same_run(recording, replay):
    replay("continue")
    text = guest_text(recording / "record.log")
    assert "$ cat /x" in text and "hi\n" in text, text
    assert guest_text(recording / "replay.log") == text


def test_D4_backwards_and_forwards_again(replay):
    """After the disk was used: each instruction is where it was, however it is reached."""
    said = replay("hbreak sys_sync", "continue", AT, "print $pc == &sys_sync", "delete",
                  *["stepi", AT] * 2, *["reverse-stepi", AT] * 4, *["stepi", AT] * 4)
    assert "= 1\n" in said, said
    p = where(said)
    assert len(p) == 11 and len(set(p)) == 5, said
    (one, two), back, forth = p[1:3], p[3:7], p[7:]
    assert back[:2] == [one, p[0]], said
    assert forth == [back[2], p[0], one, two], said


def test_D4_reverse_continue_to_a_breakpoint(replay):
    name = 'printf "runs %s\\n", (char *)a[0]'
    said = replay("hbreak sys_sync", "continue", "hbreak sys_execve",
                  *["reverse-continue", name] * 2, "continue", name, "continue", "print $pc == &sys_sync")
    assert re.findall(r"runs .*/(\w+)", said) == ["sync", "cat", "sync"], said
    assert "= 1\n" in said, said


def test_D4_who_wrote_this(replay):
    said = replay("hbreak sys_sync", "continue", "print runq.switches", "watch runq.switches", "reverse-continue",
                  "info line *$pc", "print runq.switches")
    before, after = map(int, re.findall(r"= (\d+)\n", said))
    assert before - after in (0, 1), said
    assert re.search(r'Line \d+ of "kernel/sched/core.c"', said), said
