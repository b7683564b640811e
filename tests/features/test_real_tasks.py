"""T3, T4, T8, T10, T11: programs that know nothing of this kernel, with what they do to tasks, threads and signals."""
from __future__ import annotations

import re

import pytest
from test_console import begin, press

from xv39 import checks, images, paths
from xv39.machine import PROMPT

PROGRAMS = paths.TOP / "tests/programs"


def start(boot, disk, smp: int, more: str = "", **how):
    m = boot(disks=[disk], smp=smp, mem="512M", append=f"init=/bin/sh {more}", shell="posix", **how)
    m.wait_prompt()
    return m


class TestStress:
    """Debian's stress-ng; what it does is bounded by operations, for time tells nothing on a slow machine."""
    OPERATIONS = {"clone": 10, "fork": 50, "vfork": 100, "pthread": 100, "kill": 500, "sigq": 500, "sigsegv": 500,
                  "itimer": 500, "timer": 500, "zombie": 100, "wait": 30}

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install(root, ("stress-ng",), "usr/bin/stress-ng"))

    @pytest.mark.parametrize("smp, more", [(1, 1), (4, 1), pytest.param(4, 10, marks=pytest.mark.slow),
                                           pytest.param(8, 4, marks=pytest.mark.slow)])
    def test_T3_T10_stress(self, boot, disk, smp, more):
        m = start(boot, disk, smp, kernel=checks.kernel("leak"))
        for name, operations in self.OPERATIONS.items():
            output = m.check(f"stress-ng --{name} 2 --{name}-ops {operations * more} --verify --timeout 0", 120 * more)
            failures = [line for line in output.splitlines() if " fail:" in line]
            assert not failures and f"passed: 2: {name} (2)" in output, output
        checks.assert_nothing_lost(m)


class TestPython:
    """Debian's python3 must print what the host's prints."""
    SCRIPT = PROGRAMS / "tasks.py"

    @pytest.fixture(scope="class")
    def expected(self):
        return images.host_python(self.SCRIPT)

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install_python(root, self.SCRIPT))

    @pytest.mark.parametrize("smp", [1, 4])
    def test_T4_T8_T10_T11_python(self, boot, disk, expected, smp):
        assert expected.endswith("end 1\n")
        m = start(boot, disk, smp)
        assert m.check("python3 -W ignore /tasks.py", 240) == expected


class TestUnwinding:
    """T10: g++'s exceptions, thrown by handlers."""
    FLAGS = ("-std=c++17", "-O2", "-pthread", "-fnon-call-exceptions")

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            for name, flags in (("static", ["-static"]), ("dynamic", [])):
                paths.run("riscv64-linux-gnu-g++", *self.FLAGS, *flags, "-o", root / "bin" / name, PROGRAMS / "throws.cc")
            images.add_libraries(root, root / "bin/dynamic", lambda name: paths.run(
                "riscv64-linux-gnu-g++", f"-print-file-name={name}").stdout.strip())

        return debian_with(add=fill)

    @pytest.mark.parametrize("smp", [1, 4])
    def test_T10_exceptions_from_handlers(self, boot, disk, smp):
        m = start(boot, disk, smp)
        for program in ("static", "dynamic"):
            assert m.check(program, 120) == "all ok\n"


class TestWaiting:
    """T4: glibc's mutexes, condition variables, barriers, rwlocks, semaphores and cancellation at once."""

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(["waiting"])

    @pytest.mark.parametrize("smp, seconds, threads", [(1, 2, 3), (4, 4, 4), pytest.param(1, 60, 8, marks=pytest.mark.slow),
                                                       pytest.param(8, 60, 8, marks=pytest.mark.slow)])
    def test_T4_synchronisation(self, boot, disk, smp, seconds, threads):
        m = start(boot, disk, smp)
        assert "all ok" in m.check(f"waiting {seconds} {threads}", seconds + 120)


def squeeze(text: str) -> str:
    return re.sub(r" +", " ", text)


class TestJobs:
    """T10: Debian's bash on the console. What it says of its jobs is what it says on Linux."""

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            script = root / "session"
            script.write_text("#!/bin/sh\nsetsid -c /bin/bash --noediting --norc </dev/ttyS0 >/dev/ttyS0 2>&1\npoweroff -f\n")
            script.chmod(0o755)

        return debian_with(add=fill)

    @pytest.fixture
    def session(self, shell, disk):
        m = shell(disks=[disk], mem="256M", smp=2, shell="posix", append="init=/session TERM=dumb")
        m.check("PS1='$ '")
        return m

    def says(self, m, command: str) -> str:
        return squeeze(m.check(command))

    def until(self, m, command: str, wanted: str) -> None:
        m.until(command, lambda said: squeeze(said).endswith(wanted))

    def test_T10_stopped_pipeline(self, session):
        m = session
        begin(m, "sh -c \"read x; echo got \\$x\"' | cat | cat #")
        press(m, "Z", r"\[1\]\+ +Stopped")
        m.wait_prompt()
        # All of it has stopped, and is in one group, which is not the shell's.
        states = m.check("for p in $(jobs -l | sed 's/^.[0-9]*.[+ -]*//; s/ .*//'); do cut -d' ' -f3,5 /proc/$p/stat; done")
        assert len(set(states.split("\n")[:-1])) == 1 and states.startswith("T ") and states.count("T") >= 3, states
        m.send_line("fg")
        m.expect("cat #?\r*\n|cat[^\r\n]*\r*\n")
        m.send_line("hello")
        m.expect("(?m)^got hello\r*\n")
        m.wait_prompt()
        assert self.says(m, "jobs") == ""

    def test_T10_several_jobs(self, session):
        m = session
        for n in (1, 2, 3):
            m.send_line(f"sleep 100{n} &")
            m.expect(rf"\[{n}\] \d+")
            m.wait_prompt()
        assert self.says(m, "jobs") == ("[1] Running sleep 1001 &\n[2]- Running sleep 1002 &\n[3]+ Running sleep 1003 &\n")
        self.says(m, "kill -STOP %1")
        self.until(m, "jobs", "[1]+ Stopped sleep 1001\n[2] Running sleep 1002 &\n[3]- Running sleep 1003 &\n")
        assert self.says(m, "bg %1") == "[1]+ sleep 1001 &\n"
        self.says(m, "kill -STOP %1")
        self.until(m, "jobs", "[1]+ Stopped sleep 1001\n[2] Running sleep 1002 &\n[3]- Running sleep 1003 &\n")
        # A stopped process dies of a signal only when it goes on.
        assert "[1]+ Terminated sleep 1001" in self.says(m, "kill %1; kill -CONT %1; wait %1; jobs; true")
        assert self.says(m, "kill -9 %2; wait %2; echo $?").endswith("137\n")
        m.send_line("fg %sleep")
        m.expect("(?m)^sleep 1003\r*\n")
        press(m, "C", PROMPT)
        assert self.says(m, "echo $?; jobs") in ("130\n", "0\n")

    def test_T10_statuses(self, session):
        m = session
        assert self.says(m, "(exit 3) & wait $!; echo $?").endswith("\n3\n")
        assert self.says(m, "(sleep 1000; true) & kill -USR1 $!; wait $!; echo $?").endswith("138\n")
        assert self.says(m, "(trap 'echo bye; exit 9' TERM; echo up > /tmp/up; while :; do sleep 0.1; done) & "
                            "while [ ! -s /tmp/up ]; do sleep 0.1; done; kill %%; wait $!; echo $?").endswith("\n9\n")
        assert re.search(r"(?m)^bye\r*\n", m.text())
        assert self.says(m, "trap 'echo usr1' USR1; kill -USR1 $$; trap - USR1; (trap 'echo end' EXIT; exit 4); echo $?"
                         ) == "usr1\nend\n4\n"
        assert self.says(m, "trap 'echo child' CHLD; (exit 1); trap - CHLD") == "child\n"
        # The child speaks, so that it has the terminal by then: before, ^C would be the shell's.
        m.send_line("for i in 1 2 3; do sh -c \"echo round $i; exec sleep 1000\"; done")
        m.expect("(?m)^round 1\r*\n")
        press(m, "C", PROMPT)
        assert m.check("true") == "" and "round 2" not in m.text()
        m.send_line("sleep 1000 & echo begun''; wait")
        m.expect("(?m)^begun\r*\n")
        press(m, "C", PROMPT)  # it ends the wait, not the job
        assert "Running" in self.says(m, "jobs")
        self.says(m, "kill %sleep; wait; true")
        begin(m, "sleep 1000")
        press(m, "\\", PROMPT)
        assert self.says(m, "coproc cat; echo hi >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x").endswith("hi\n")

    def test_T10_terminal_in_the_background(self, session):
        m = session
        m.send_line("cat &")
        m.wait_prompt()
        self.until(m, "jobs", "[1]+ Stopped cat\n")  # SIGTTIN
        m.send_line("fg")
        m.expect("(?m)^cat\r*\n")
        m.send_line("typed")
        m.expect("typed\r*\n.*typed\r*\n")
        m.control("D")
        m.wait_prompt()
        self.says(m, "stty tostop")
        m.send_line("echo through >/dev/tty &")
        m.wait_prompt()
        self.until(m, "jobs", "[1]+ Stopped echo through > /dev/tty\n")  # SIGTTOU
        self.says(m, "stty -tostop")
        m.send_line("fg")
        m.expect("(?m)^through\r*\n")
        m.wait_prompt()

    def test_T10_stopped_jobs_at_the_end(self, session):
        m = session
        m.send_line("bash --noediting --norc")
        m.wait_prompt()
        m.check("PS1='inner$ '")
        m.send_line("suspend")
        m.expect(r"\[1\]\+ +Stopped")
        m.wait_prompt()
        m.send_line("fg")
        m.expect("inner")
        m.wait_prompt()
        begin(m, "sleep 12345")
        press(m, "Z", r"\[1\]\+ +Stopped")
        m.wait_prompt()
        m.send_line("exit")
        m.expect("There are stopped jobs")
        m.wait_prompt()
        m.send_line("exit")
        m.expect("exit[\\r\\n]+\\$ ")
        assert "12345" not in m.check("for c in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$c; echo; done 2>/dev/null | grep -v for")
        m.send_line("exit")
        assert m.wait_end() == 0
