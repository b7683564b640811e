"""D1: the commands of tools/gdb, on a machine that lives and on one that has panicked."""
from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from xv39 import images, paths, speed
from xv39.checks import kernel
from xv39.machine import Machine

GDB = paths.gdb()
pytestmark = pytest.mark.skipif(GDB is None, reason="no gdb for riscv64: make setup")
HERE = Path(__file__).parent
LIBRARIES = Path("/usr/riscv64-linux-gnu/lib")
LOADER = "ld-linux-riscv64-lp64d.so.1"


class Debugged:
    """A machine with a gdb stub on a socket; ask() has gdb attach, do commands, and go."""

    def __init__(self, folder: Path, **how) -> None:
        self.folder, self.socket = folder, folder / "gdb"
        how.setdefault("disks", [paths.FSIMG])
        self.kernel = how.get("kernel") or paths.KERNEL
        self.machine = Machine(extra=["-S"] * how.pop("stopped", False) + ["-chardev", f"socket,id=gdb,path={self.socket},server=on,wait=off",
                                      "-gdb", "chardev:gdb"], **how)
        limit = time.monotonic() + 30 * speed.factor()
        while not self.socket.exists():
            assert time.monotonic() < limit, "QEMU did not start"
            time.sleep(0.05)

    def ask(self, *commands: str, typed: str = "", timeout: float = 120) -> dict[str, str]:
        """What gdb says to each command. `typed` is typed at the console when the command `type` comes."""
        init, ready = self.folder / "gdbinit", self.folder / "ready"
        template = (paths.TOP / ".gdbinit.tmpl").read_text()
        init.write_text(template.replace("127.0.0.1:@PORT@", str(self.socket))
                        .replace("symbol-file kernel/kernel", f"symbol-file {self.kernel}"))
        ready.unlink(missing_ok=True)
        arguments = [GDB, "-nx", "-batch", "-x", str(init)]
        for number, command in enumerate(commands):
            done = f"shell touch {ready}" if command == "type" else command
            arguments += ["-ex", f"echo \\n@@{number}@@\\n", "-ex", done]
        gdb = subprocess.Popen(arguments, cwd=paths.TOP, text=True, errors="replace", stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            limit = time.monotonic() + timeout * speed.factor()
            while typed and gdb.poll() is None and not ready.exists() and time.monotonic() < limit:
                time.sleep(0.05)
            if typed:
                self.machine.send(typed)
            said, _ = gdb.communicate(timeout=max(1.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            gdb.kill()
            said, _ = gdb.communicate()
            pytest.fail(f"gdb did not finish {commands}:\n{said[-4000:]}\nconsole:\n{self.machine.tail()}")
        pieces = re.split(r"\n@@(\d+)@@\n", said)
        return {commands[int(number)]: text for number, text in zip(pieces[1::2], pieces[2::2])}


@pytest.fixture
def debugged(tmp_path, request):
    """debugged(**machine): a Debugged; it ends with the test."""
    mine = []

    def start(**how) -> Debugged:
        mine.append(Debugged(tmp_path, name=request.node.name, **how))
        return mine[-1]

    yield start
    for d in mine:
        d.machine.close()


# ---- looking: one machine, one gdb, all commands

LOOKS = ["xv39", "ps", "task 1", "task 9999", "task nonsense", "bt-task 1", "bt-task 2", "bt-task 9999", "bt-task",
         "print $before == $pc && $sp == $stack", "runq", "vmas 1", "vmas 2", "ptwalk 0x10000 1", "ptwalk &runq",
         "ptwalk 0 1", "ptwalk 0x8000000000", "ptwalk", "locks", "waiters", "waiters &flush_wait", "waiters 5", "slab",
         "free-pages", "files 1", "files 2", "print *init_fs.root.dentry", "print *init_fs.root.dentry->inode",
         "print family_lock", "print all_tasks", "print page_array[1000]", "print $task = (struct task *)all_tasks.next",
         "in-kernel print nr_harts", "in-kernel", "help ptwalk", "syscall-break wriet", "user no-such-program",
         "user-break sh no_such_function", "user-break sh main 9999", "print *((struct task *)runq.idle)",
         "print ((struct task *)runq.idle)->process", "python print(one('mm'))", "python print(one('process'))",
         "python print(one('file'))", "python print(vma())"]
PYTHON = """python
from helpers import tasks, memory
def first():
    return tasks.find_task("1")
def one(kind):
    if kind == "file":
        return first()["files"]["fd"][0].dereference()
    return first()[kind].dereference()
def vma():
    return next(iter(memory.vmas_of(first()["mm"])))
end
"""


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    d = Debugged(folder, smp=2, name="gdb-looks")
    try:
        d.machine.wait_prompt()
        d.machine.check("sleep 1000 & true")
        d.machine.until("ps", r" nanosleep +sleep 1000")
        functions = folder / "functions.gdb"
        functions.write_text(PYTHON)
        yield d.ask("set $before = $pc", "set $stack = $sp", f"source {functions}", *LOOKS)
    finally:
        d.machine.close()


def says(looks, command, *patterns):
    for pattern in patterns:
        assert re.search(pattern, looks[command], re.M), f"{command}: {pattern} is not in\n{looks[command]}"
    assert "Traceback" not in looks[command] and "Python Exception" not in looks[command], looks[command]


@pytest.mark.parametrize("command, patterns", [
    ("xv39", [r"^ +bt-task PID ", r"^ +user-break "]),
    ("ps", [r"^ +1 +1 .* init +wait +0xf", r"^ +2 +2 .* kthreadd", r" sleep +nanosleep", r" idle/1"]),
    ("task 1", [r"^init, task 0xffff.*pid 1", r"waits +wait", r"user +pc 0x1"]),
    ("bt-task 1", [r"^#0 .*", r"^#\d+ .*schedule", r"^#\d+ .*do_wait", r"^#\d+ .*sys_wait4", r"<signal handler called>"]),
    ("bt-task 2", [r"^#\d+ .*kthread_main", r"^#\d+ .*thread_first"]),
    ("print $before == $pc && $sp == $stack", [r"= 1$"]),
    ("runq", [r"^hart 0: .* runs, \d+ queued", r"^hart 1: "]),
    ("vmas 1", [r"^ +000000010000-.* r-xp +0  /(s?bin/)?init ", r"\[stack\]"]),
    ("ptwalk 0x10000 1", [r"level 2 ", r"level 1 ", r"level 0 .*v,r,x,u", r"-> physical 0x8", r"struct page .*cache"]),
    ("ptwalk &runq", [r"r,w", r"reserved"]),
    ("ptwalk 0 1", [r"0x0 is not mapped"]),
    ("locks", [r"without CHECK=locks|hart 0 holds", r"^mutexes and rwlocks:"]),
    ("waiters", [r"^0xffff", r"init \(pid 1\) +wait"]),
    ("waiters &flush_wait", [r"flush \(pid \d+\)"]),
    ("waiters 5", [r"nobody waits at 0x5"]),
    ("slab", [r"^task +\d+ +[1-9]", r"^kmalloc-64 +64 "]),
    ("free-pages", [r"^\d+ frames free"]),
    ("files 1", [r"^ +0 +read,write.*/dev/console", r"cwd /, root /"]),
    ("in-kernel print nr_harts", [r"= 2$"]),
    ("help ptwalk", [r"ptwalk ADDR \[PID\]", r"Walk a page table"]),
])
def test_D1_a_command_shows(looks, command, patterns):
    says(looks, command, *patterns)


@pytest.mark.parametrize("command, pattern", [
    ("task 9999", r"no task has pid or address 9999"),
    ("task nonsense", r"nonsense is not a pid"),
    ("bt-task 9999", r"no task has pid"),
    ("bt-task", r"^usage: bt-task PID"),
    ("vmas 2", r"kthreadd \(pid 2\) has no memory of its own"),
    ("files 2", r"kthreadd \(pid 2\) has no descriptor table"),
    ("ptwalk", r"^usage: ptwalk ADDR \[PID\]"),
    ("ptwalk 0x8000000000", r"is no Sv39 address"),
    ("in-kernel", r"which command"),
    ("syscall-break wriet", r"no system call wriet; near: write"),
    ("user no-such-program", r"there is no file no-such-program"),
    ("user-break sh no_such_function", r"sh has no no_such_function|not defined"),
    ("user-break sh main 9999", r"no task has pid"),
])
def test_D1_a_bad_argument_gets_a_clear_message(looks, command, pattern):
    says(looks, command, pattern)


@pytest.mark.parametrize("command, pattern", [
    ("print *((struct task *)runq.idle)", r"= idle/0 \(pid 0\), .*= \{thread = \{"),
    ("python print(one('process'))", r"^process of init \(pid 1\), 1 threads"),
    ("python print(one('mm'))", r"^\d+ VMAs, 1 users.* lock = free"),
    ("python print(one('file'))", r"^/dev/console at \d+"),
    ("python print(vma())", r"^0x10000-0x1\w+ r-xp /(s?bin/)?init"),
    ("print *init_fs.root.dentry", r'= "/" = \{ref = \d+'),
    ("print *init_fs.root.dentry->inode", r"inode 2 of ext2, mode 40755, \d+ bytes"),
    ("print family_lock", r"= free"),
    ("print all_tasks", r"= list of \d+"),
    ("print page_array[1000]", r"= reserved page of order \d+, \d+ references"),
])
def test_D1_a_structure_prints_as_what_it_is(looks, command, pattern):
    says(looks, command, pattern)


# ---- breakpoints

def test_D1_user_and_kernel_breakpoints_in_one_session(debugged):
    """A breakpoint in cat's main, where sh and echo have code too; then one on its write; then back over sret."""
    d = debugged(smp=2)
    d.machine.wait_prompt()
    said = d.ask("user-break cat main", "syscall-break write cat", "type", "continue", "backtrace", "print $program()",
                 "in-kernel print $pid() > 1", "continue ", "backtrace ", "print ((struct task *)$tp)->name", "to-user",
                 "print $priv", "print $a0", "to-kernel", "print tf->a7", "stepi 3", "print $pid() > 1", "delete",
                 typed="echo hello | cat\r")
    assert re.search(r"Breakpoint 1, main .*user/cat\.c", said["continue"]), said
    assert re.search(r"^#0 +main ", said["backtrace"], re.M), said
    assert '"cat"' in said["print $program()"] and "= 1" in said["in-kernel print $pid() > 1"], said
    assert re.search(r"Breakpoint 2, sys_write", said["continue "]), said
    assert re.search(r"^#1 .*syscall_enter.*\n(.*\n)*#\d+ .*main .*user/cat\.c", said["backtrace "], re.M), said
    assert '"cat' in said["print ((struct task *)$tp)->name"], said
    assert "= 0" in said["print $priv"] and "= 6" in said["print $a0"], said
    assert "syscall_enter" in said["to-kernel"] and re.search(r"= \d+", said["print tf->a7"]), said
    d.machine.expect("hello")


def test_D1_a_user_breakpoint_leaves_other_programs_alone(debugged):
    """All programs of user/ have the same addresses; only the one that was named stops."""
    d = debugged(smp=1)
    d.machine.wait_prompt()
    said = d.ask("user-break uname main", "type", "continue", "print $program()", "delete",
                 typed="date; cat /README; ls /; uname\r")
    assert "Breakpoint 1, main" in said["continue"] and '"uname"' in said["print $program()"], said
    d.machine.expect("README")


def test_D1_single_steps_cross_ecall_and_sret(debugged, tmp_path):
    """From an ecall to the trap's first instruction, on to the sret, and from there to user code again.

    A software interrupt is due before the ecall, and another before the user's next instruction.
    """
    d = debugged(smp=1)
    d.machine.wait_prompt()
    seek = tmp_path / "seek.gdb"
    seek.write_text(SEEK_SRET)
    said = d.ask("syscall-break sync sync", "type", "continue", "set $at = $sepc", "delete", "to-user",
                 "print $pc == $at + 4", "print $priv", "set $pc = $at", "x/i $pc", "set $sip = 2", "step-through",
                 "info symbol $pc", "print $priv ",
                 f"source {seek}", "x/i $pc ", "set $sip = 2 ", "print $sip & 2", "step-through ", "print $priv  ",
                 "print $pc == $at + 4 ", typed="sync\r")
    assert "Breakpoint 1, sys_sync" in said["continue"], said
    assert "= 1" in said["print $pc == $at + 4"] and "= 0" in said["print $priv"], said
    assert "ecall" in said["x/i $pc"] and "trap_entry" in said["info symbol $pc"] and "= 1" in said["print $priv "], said
    assert "= 2" in said["print $sip & 2"], said
    assert "sret" in said["x/i $pc "] and "= 0" in said["print $priv  "] and "= 1" in said["print $pc == $at + 4 "], said


SEEK_SRET = """python
from helpers import kernel, programs
start, end = programs.function_address("trap_entry"), programs.function_address("context_switch")
code = gdb.selected_frame().architecture().disassemble(start, end)
sret = [line["addr"] for line in code if line["asm"].startswith("sret")][0]
programs.run_to([sret], programs.running(), "sscratch")
end
"""


# ---- places that only the kernel knows

def place(source: str, root: Path, *options: str) -> Path:
    out = root / "bin" / source.partition(".")[0]
    paths.run("riscv64-linux-gnu-gcc", "-g", "-O1", *options, "-o", out, HERE / source)
    return out


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """(image, folder): our programs, one that is position-independent, one that is dynamic with what it needs."""
    root = images.folders(tmp_path_factory.mktemp("root"))
    for program in (paths.TOP / "build/user").iterdir():
        shutil.copy(program, root / "bin")
    shutil.copy(root / "bin/init", root / "sbin/init")
    place("pie.c", root, "-nostdlib", "-ffreestanding", "-fPIE", "-static-pie")
    place("dynamic.c", root, "-fPIE", "-pie")
    (root / "lib").mkdir()
    for library in (LOADER, "libc.so.6"):
        shutil.copy(LIBRARIES / library, root / "lib" / library)
    return images.make_ext2(tmp_path_factory.mktemp("image") / "moved.img", root, "32M"), root


@pytest.mark.parametrize("name", ["pie", "dynamic"])
def test_D1_symbols_of_a_program_whose_place_varies(debugged, moved, name):
    image, root = moved
    program = root / "bin" / name
    libc = f"user {LIBRARIES / 'libc.so.6'}"
    d = debugged(smp=1, disks=[image])
    d.machine.wait_prompt()
    said = d.ask(f"user {program}", "type", f"user-start {program}", "info symbol $pc", f"user-break {program} turn", "continue",
                 "print n", "backtrace", libc, "info symbol puts", "delete", typed=f"{name}\r")
    assert "is position-independent, and no process has it mapped" in said[f"user {program}"], said
    assert re.search(rf"symbols of .*{name}, at 0x", said[f"user-start {program}"]), said
    assert "_start in section .text" in said["info symbol $pc"], said
    assert "Breakpoint 1, turn" in said["continue"] and "= 7" in said["print n"], said
    if name == "dynamic":
        assert re.search(r"^#1 .* main ", said["backtrace"], re.M) and "puts in section .text" in said["info symbol puts"], said
    assert "detached" in said["delete"], said


def test_D1_user_start_of_a_static_program(debugged):
    d = debugged(smp=1)
    d.machine.wait_prompt()
    said = d.ask("type", "user-start seq", "info symbol $pc", "print $priv", typed="seq 3\r")
    assert "symbols of build/user/seq, at its link address" in said["user-start seq"], said
    assert "_start in section .text" in said["info symbol $pc"] and "= 0" in said["print $priv"], said


# ---- at a panic, and before there is a kernel

def test_D1_helpers_at_a_panic(debugged):
    d = debugged(smp=2)
    d.machine.wait_prompt()
    d.machine.send_line("echo c > /proc/sysrq-trigger")
    d.machine.expect(r"panic:", crash_ok=True)
    for _ in range(20):  # until all is said and both harts have halted
        if d.ask("thread apply all backtrace 6").popitem()[1].count("machine_halt") >= 2:
            break
    said = d.ask("ps", "runq", "locks", "bt-task 1", "vmas 1", "files 1", "slab", "waiters", "ptwalk 0x10000 1", "task",
                 "thread apply all backtrace 6")
    for command, text in said.items():
        assert "Traceback" not in text and "Error" not in text, f"{command}:\n{text}"
    assert re.search(r"on hart .* sh ", said["ps"]) and "sys_wait4" in said["bt-task 1"], said
    assert "machine_halt" in said["thread apply all backtrace 6"], said


def test_D1_trace_shows_what_each_hart_recorded(debugged):
    """At a panic: gdb reads from the rings the very lines that the kernel printed of them. With the machine alive: the
    newest event is where gdb stopped."""
    d = debugged(smp=2)
    d.machine.wait_prompt()
    nothing = d.ask("trace")["trace"]
    assert "hart 0: nothing was recorded" in nothing and "hart 1: nothing was recorded" in nothing, nothing
    d.machine.check("echo 1 > /proc/trace/on")
    d.machine.check("echo 'a \"text\"' > /proc/trace/marker")
    d.machine.check("ls / | cat")
    alive = d.ask("break sys_getcwd", "type", "continue", "trace 0 3", "trace 1 3", "delete", "trace 5", "trace nonsense", typed="pwd\r")
    newest = alive["trace 0 3"] + alive["trace 1 3"]
    assert re.search(r"sys nr=17 name=getcwd a0=0x", newest) and len(re.findall(r"(?m)^    \d", newest)) == 6, alive
    assert "there is no hart 5" in alive["trace 5"] and "nonsense is not a hart" in alive["trace nonsense"], alive
    d.machine.wait_prompt()
    d.machine.send_line("echo c > /proc/sysrq-trigger")
    d.machine.expect(r"trace, hart 1:([\r\n]+\d[^\r\n]*){32}[\r\n]", crash_ok=True)
    said = d.ask("trace", "trace all 16384")
    printed = re.findall(r"(?m)^(\d+\.\d{9} .*?)\r*$", d.machine.text())
    assert len(printed) == 64, d.machine.text()
    assert re.findall(r"(?m)^    (\d.*)$", said["trace"]) == printed, said["trace"]
    assert 'text "a \\"text\\""' in said["trace all 16384"], said


def test_D1_without_a_machine_a_helper_says_so():
    done = subprocess.run([GDB, "-nx", "-batch", "-ex", "source tools/gdb/xv39.py", "-ex", "ps"], cwd=paths.TOP,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert "no machine" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_D1_before_the_kernel_runs_a_helper_says_so(debugged):
    d = debugged(smp=1, stopped=True)
    said = d.ask("ps", "task", "boot", "task ")
    assert "cannot be read" in said["ps"] + said["task"] and "Traceback" not in said["ps"] + said["task"], said
    assert "kernel_main" in said["boot"] and "Traceback" not in said["task "], said


@pytest.mark.slow
def test_D1_locks_are_known_with_the_checker(debugged):
    """In the middle of a switch the run queue's lock is held; the checker's kernel tells by whom."""
    d = debugged(smp=2, kernel=kernel("locks", plant=False))
    d.machine.wait_prompt()
    said = d.ask("break switch_away", "type", "continue", "locks", "delete", typed="ls\r")
    assert re.search(r"^hart \d holds:\n +runq +rank \d+, 0xf.* by ", said["locks"], re.M), said
