"""T10, F7: the console as a person uses it: line editing, ^C, ^D, ^Z, fg, bg, at our shell and at Debian's."""
from __future__ import annotations

import re

import pytest

from xv39.machine import PROMPT, Timeout


def press(m, letter: str, pattern: str) -> None:
    """Type ^letter until it has its effect: a key pressed before the shell has started the command is lost."""
    for _ in range(20):
        m.control(letter)
        try:
            m.expect(pattern, 3)
            return
        except Timeout:
            pass
    pytest.fail(f"^{letter} does nothing")


def interrupt(m, command: str) -> None:
    """^C ends the command in the foreground and leaves the shell."""
    m.send_line(command)
    m.expect(re.escape(command.split()[-1]) + "\r*\n")
    press(m, "C", PROMPT)
    assert m.run("echo alive")[1] == "alive\n"


def begin(m, command: str) -> None:
    """Start a command and wait until it has the terminal."""
    m.send_line(f"sh -c 'echo begun; exec {command}'")
    m.expect("(?m)^begun\r*\n")


class TestOurShell:
    def test_T10_interrupt(self, shell):
        m = shell()
        interrupt(m, "sleep 1000")
        interrupt(m, "cat")
        interrupt(m, "cat | cat | cat")

    def test_F7_end_of_file(self, shell):
        m = shell()
        m.send_line("cat")
        m.send_line("one line")
        m.expect("one line\r*\n.*one line\r*\n")  # typed, then written by cat
        m.control("D")
        m.wait_prompt()
        assert m.check("echo alive") == "alive\n"

    def test_F7_status_in_an_assignment(self, shell):
        m = shell()
        assert m.check("false; s=$?; echo $s; s=$(false); echo $?; s=1; echo $?") == "1\n1\n0\n"

    def test_F7_erase_and_kill(self, shell):
        m = shell()
        m.send("echo wrong\x7f\x7f\x7f\x7f\x7fright\r")
        m.expect("(?m)^right\r*\n")
        m.wait_prompt()
        m.send("echo this line goes\x15echo that stays\r")
        m.expect("(?m)^that stays\r*\n")
        m.wait_prompt()

    def test_F7_quit_key_kills(self, shell):
        m = shell()
        m.send_line("echo $((6 * 7)); sleep 1000")  # the key throws away a line that the shell has not read yet
        m.expect("42\r*\n")
        press(m, "\\", PROMPT)

    def test_pipelines_and_redirection(self, shell):
        m = shell(smp=4)
        m.check("echo one two three > /tmp/words")
        assert m.check("cat < /tmp/words | wc").split()[:3] == ["1", "3", "14"]
        m.check("rm /tmp/words")

    def test_long_line(self, shell):
        m = shell()
        words = " ".join(["abcdefghi"] * 20)
        assert m.check("echo " + words) == words + "\n"


class TestDebian:
    @pytest.fixture(scope="class")
    def image(self, debian_with):
        """Debian's tree with an init per shell, which makes that shell the leader of a session on the console."""
        def add(root):
            for name, command in {"sh": "/bin/sh", "bash": "/bin/bash --noediting --norc"}.items():
                script = root / f"session-{name}"
                script.write_text(f"#!/bin/sh\nsetsid -c {command} </dev/ttyS0 >/dev/ttyS0 2>&1\npoweroff -f\n")
                script.chmod(0o755)
        return debian_with(add=add)

    @pytest.fixture(params=["sh", "bash"])
    def session(self, shell, image, request):
        return shell(disks=[image], mem="256M", smp=2, shell="posix", append=f"init=/session-{request.param} TERM=vt100")

    def test_T10_interrupt(self, session):
        begin(session, "sleep 1000")  # bash without readline runs what it has read after a ^C that comes before
        press(session, "C", PROMPT)
        assert session.run("echo alive")[1] == "alive\n"
        status, _ = session.run("sleep 0")
        assert status == 0

    def test_T10_stop_and_continue(self, session):
        m = session
        begin(m, "sleep 1000")
        press(m, "Z", "Stopped")
        m.wait_prompt()
        assert "Stopped" in m.check("jobs")
        m.send_line("bg")
        m.wait_prompt()
        assert "Running" in m.check("jobs")
        m.send_line("fg")
        m.expect("sleep 1000[^\r\n]*\r*\n")
        press(m, "C", PROMPT)
        assert "sleep" not in m.check("jobs")

    def test_T10_background_does_not_take_the_terminal(self, session):
        m = session
        m.send_line("cat &")
        m.expect(PROMPT)
        m.send_line("")
        m.wait_prompt()
        m.until("jobs", "Stopped")  # SIGTTIN
        m.check("kill -9 %1")

    def test_F7_end_of_file(self, session):
        m = session
        begin(m, "cat")
        m.send_line("a line")
        m.expect("a line\r*\n.*a line\r*\n")
        m.control("D")
        m.wait_prompt()

    def test_F7_raw_mode_and_window_size(self, session):
        m = session
        m.check("stty rows 33 columns 99")
        assert m.check("stty size") == "33 99\n"
        saved = m.check("stty -g").strip()
        m.check("stty raw -echo; stty cooked echo")
        m.check(f"stty {saved}")
        assert m.check("echo alive") == "alive\n"
