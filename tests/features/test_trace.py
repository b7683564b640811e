"""S13, D4: the trace says what happened, of all or of those asked for; strace lines; what an oops shows of it."""
from __future__ import annotations

import re
import shlex
import subprocess
from collections import defaultdict

import pytest

from xv39 import traces
from xv39.machine import Machine

LINE = re.compile(r"\d+\.\d{9} \d+ \d+ \w+ .+")
EXITS = {93, 94}


def of(trace, *names: str, tid: int | None = None) -> list[traces.text.Event]:
    return [e for e in trace.events if e.name in names and tid in (None, e.tid)]


@pytest.fixture(scope="module")
def image(debian_with):
    def add(root):
        (root / "bin/t").write_text(SCRIPT)
        (root / "bin/t").chmod(0o755)
    return debian_with(["workload", "-O1"], ["calls", "-nostdlib", "-ffreestanding"], add=add)


# t NAME COMMAND…: run the command while tracing is on; facts and events go to files.
SCRIPT = """#!/bin/sh
name=$1; shift
echo > /proc/trace/clear
echo 1 > /proc/trace/on
"$@" > /tmp/out
echo 0 > /proc/trace/on
cat /tmp/out > /$name.facts
cat /proc/trace/events > /$name.trace
"""


class Recorded:
    """What one machine recorded, read from its disk when it is off."""

    def __init__(self, disk) -> None:
        self.disk = disk
        self.files: dict[str, str] = {}

    def text(self, path: str) -> str:
        if path not in self.files:
            self.files[path] = subprocess.run(["debugfs", "-R", f"cat {path}", str(self.disk)], capture_output=True, text=True,
                                              check=True, timeout=60).stdout
        return self.files[path]

    def trace(self, name: str) -> traces.text.Trace:
        return traces.text.read(self.text(f"/{name}.trace").splitlines())

    def facts(self, name: str) -> dict[str, int]:
        return {key: int(value) for key, value in re.findall(r"fact (\w+) (\d+)", self.text(f"/{name}.facts"))}


def ready(m) -> Machine:
    m.wait_prompt()
    m.check("mount -t proc proc /proc && mount -t tmpfs tmpfs /tmp")
    return m


def start(boot, image, append: str = "", **how) -> Machine:
    """A machine whose init is Debian's shell."""
    return ready(boot(disks=[image], append=f"init=/bin/sh {append}", shell="posix", **how))


@pytest.fixture(scope="module", params=[1, 4], ids=["1hart", "4harts"])
def recorded(request, image):
    m = Machine(disks=[image], smp=request.param, append="init=/bin/sh", shell="posix", name=f"trace-{request.param}")
    try:
        ready(m)
        m.check("t all workload", timeout=120)
        m.check("t marker sh -c " + shlex.quote('echo "a \\"quoted\\" text" > /proc/trace/marker'))
        m.check("echo 'switch wake' > /proc/trace/filter; cat /proc/trace/filter > /filter1; t switches workload")
        m.check("echo 'all -sys,irq -lock' > /proc/trace/filter; cat /proc/trace/filter > /filter2; echo all > /proc/trace/filter")
        m.check("""sh -c 'echo $$ > /proc/trace/pids; echo "fact only $$"; exec t only workload' > /only.pid; echo all > /proc/trace/pids""")
        m.check("echo 1 > /proc/trace/on; echo 0 > /proc/trace/on; echo > /proc/trace/clear; workload > /dev/null; "
                "cat /proc/trace/events > /off.trace")
        m.check("echo 60 > /proc/trace/size; cat /proc/trace/size > /size; t small workload")
        for bad in ("echo sysx > /proc/trace/filter", "echo 2 > /proc/trace/on", "echo 3 > /proc/trace/size", "echo x > /proc/trace/pids",
                    "echo 1 > /proc/trace/on; echo 128 > /proc/trace/size"):
            assert m.run(bad)[0] == 1, bad
        m.check("echo 0 > /proc/trace/on; sync")
        m.send_line("poweroff -f")
        m.wait_end()
        result = Recorded(m.disks[0])
        result.harts = request.param
        yield result
    finally:
        m.close()


@pytest.mark.parametrize("name", ["all", "switches", "only", "small", "marker"])
def test_S13_times_do_not_go_back(recorded, name):
    times = [e.ns for e in recorded.trace(name).events]
    assert len(times) > 10 and times == sorted(times)


def test_S13_the_head_says_what_it_is_about(recorded):
    trace, facts = recorded.trace("all"), recorded.facts("all")
    assert trace.harts == recorded.harts and trace.lost == {}
    on, off = map(int, re.search(r"(?m)^# on (\d+) off (\d+)$", recorded.text("/all.trace")).groups())
    assert on <= trace.events[0].ns <= trace.events[-1].ns <= off
    names = {tid: name for tid, (_, name) in trace.tasks.items()}
    assert names[0] == "idle" and names[2] == "kthreadd" and "cat" in names.values() and facts["self"] not in names


@pytest.mark.parametrize("name", ["all", "switches"])
def test_S13_who_was_switched_to_is_who_runs(recorded, name):
    """On each hart: every event is of the task that the last switch there went to."""
    running: dict[int, int] = {}
    for e in recorded.trace(name).events:
        assert running.get(e.hart, e.tid) == e.tid, e
        if e.name == "switch":
            running[e.hart] = e.args["next"]
    assert len(running) == recorded.harts


def test_S13_a_call_ends_before_the_next_begins(recorded):
    """Of each task: sys and sys_end take turns and are of one call; only exits have no end."""
    open_call: dict[int, traces.text.Event] = {}
    ended = 0
    for e in of(recorded.trace("all"), "sys", "sys_end"):
        before = open_call.pop(e.tid, None)
        if e.name == "sys":
            assert before is None, f"{before} did not end before {e}"
            open_call[e.tid] = e
        else:
            assert before and before.args["nr"] == e.args["nr"] and before.args["name"] == e.args["name"], f"{e} ends {before}"
            ended += 1
    assert ended > 100
    exited = {e.tid for e in of(recorded.trace("all"), "exit")}
    assert all(e.args["nr"] in EXITS for tid, e in open_call.items() if tid in exited)


def test_S13_every_kind_of_event_with_its_values(recorded):
    trace, f = recorded.trace("all"), recorded.facts("all")
    me = f["self"]
    fault = next(e for e in of(trace, "fault", tid=me) if e.args["addr"] >> 12 == f["page"] >> 12)
    assert fault.args["addr"] == f["page"] + 8 and fault.args["access"] == "w" and fault.args["user"] == 1
    end = next(e for e in of(trace, "fault_end", tid=me) if e.ns >= fault.ns)
    assert end.args["addr"] == fault.args["addr"] and end.args["error"] == 0
    mapped = next(e for e in of(trace, "sys_end", tid=me) if e.args["name"] == "mmap" and e.args["ret"] == f["page"])
    begun = [e for e in of(trace, "sys", tid=me) if e.args["name"] == "mmap" and e.ns <= mapped.ns][-1]
    assert [begun.args[f"a{i}"] for i in range(5)] == [0, 0x1000, 3, 0x22, 2**64 - 1]
    forks = {e.args["tid"]: e for e in of(trace, "fork", tid=me)}
    assert {f["exits7"], f["execs"], f["faults"], f["pong"]} <= set(forks) and forks[f["execs"]].args["comm"] == "workload"
    assert [e.args["status"] for e in of(trace, "exit", tid=f["exits7"])] == [7 << 8]
    assert [e.args["comm"] for e in of(trace, "exec", tid=f["execs"])] == ["true"]
    assert [e.args["status"] for e in of(trace, "exit", tid=f["execs"])] == [0]
    assert [(e.args["addr"], e.args["error"]) for e in of(trace, "fault_end", tid=f["faults"])][-1] == (16, -14)
    assert [(e.args["nr"], e.args["tid"]) for e in of(trace, "signal", tid=f["faults"])][0] == (11, f["faults"])
    assert [e.args["nr"] for e in of(trace, "deliver", tid=f["faults"])][-1] == 11
    assert (10, me) in [(e.args["nr"], e.args["tid"]) for e in of(trace, "signal", tid=me)]
    assert 10 in [e.args["nr"] for e in of(trace, "deliver", tid=me)]
    threads = [e for e in forks.values() if e.args["pid"] == me]
    assert len(threads) == 3


def test_S13_sleep_and_wake(recorded):
    """The sleeper goes to sleep for its reason, a timer wakes it, and then it is switched to on that hart."""
    trace, me = recorded.trace("all"), recorded.facts("all")["self"]
    call = next(e for e in of(trace, "sys", tid=me) if "nanosleep" in e.args["name"])
    asleep = next(e for e in of(trace, "switch", tid=me) if e.ns >= call.ns)
    assert asleep.args["state"] == "S" and asleep.args["preempted"] == 0 and asleep.args["wchan"] == "nanosleep"
    woken = next(e for e in of(trace, "wake") if e.args["tid"] == me and e.ns > asleep.ns)
    assert woken.ns - asleep.ns > 15_000_000
    rings = [e for e in of(trace, "timer") if e.hart == woken.hart and e.ns <= woken.ns][-1]
    assert rings.args["fn"] == "alarm_rings"
    back = next(e for e in of(trace, "switch") if e.args["next"] == me and e.ns >= woken.ns)
    moves = [e.args["to"] for e in of(trace, "migrate") if e.args["tid"] == me and woken.ns <= e.ns <= back.ns]
    assert back.hart == [woken.args["hart"], *moves][-1]


def test_S13_ping_pong(recorded):
    """Two processes over two pipes: one of them sleeps in the pipe in each round, and it is the other one who wakes it. It may be
    woken while it still is on its way to sleep: then it does not."""
    trace, f = recorded.trace("all"), recorded.facts("all")
    me, pong = f["self"], f["pong"]
    rounds = 0
    for one, other in (me, pong), (pong, me):
        sleeps = [e for e in of(trace, "switch", tid=one) if e.args.get("wchan") == "pipe_read" and e.args["state"] == "S"]
        wakes = [e for e in of(trace, "wake") if e.args["tid"] == one]
        assert all(next(w for w in wakes if w.ns >= s.ns).tid == other for s in sleeps), (one, sleeps, wakes)
        assert not [e for e in of(trace, "switch", tid=one) if e.args["state"] == "R" and "wchan" in e.args]
        rounds += len([w for w in wakes if w.tid == other])
    assert rounds >= 19, rounds


def test_S13_devices_interrupt_and_transfers_end(recorded):
    trace, me = recorded.trace("all"), recorded.facts("all")["self"]
    writes = [e for e in of(trace, "block") if e.args["write"] == 1 and e.args["dev"] == "vda"]
    assert any(e.tid == me and e.args["bytes"] >= 8192 for e in writes)
    flying: dict[int, traces.text.Event] = {}
    for e in of(trace, "block", "block_end"):
        if e.name == "block":
            flying[e.args["id"]] = e
        else:
            assert e.args["error"] == 0 and flying.pop(e.args["id"], None), e
    assert not flying
    depth: dict[int, list[str]] = defaultdict(list)
    for e in of(trace, "irq", "irq_end"):
        if e.name == "irq":
            depth[e.hart].append(e.args["kind"])
        else:
            assert depth[e.hart].pop() == e.args["kind"]
    kinds = {e.args["kind"] for e in of(trace, "irq")}
    assert kinds >= {"timer", "device"} and ("ipi" in kinds) == (recorded.harts > 1)


def test_S13_several_harts_contend_and_exchange_tasks(recorded):
    trace, me = recorded.trace("all"), recorded.facts("all")["self"]
    if recorded.harts == 1:
        assert not of(trace, "migrate")
        return
    moves = [(e.args["from"], e.args["to"]) for e in of(trace, "migrate") if e.args["tid"] == me]
    assert {to for _, to in moves} >= {1, 2, 3} and all(a != b for a, b in moves)
    assert {e.hart for e in trace.events if e.tid == me} == {0, 1, 2, 3}
    waits: dict[tuple, traces.text.Event] = {}
    for e in of(trace, "lock", "lock_end"):
        key = (e.tid or ("idle", e.hart), e.args["addr"])
        if e.name == "lock_end":
            assert waits.pop(key, None), f"{e} without a beginning"
        else:
            assert waits.setdefault(key, e) is e, f"{e} begins twice"
    assert not waits
    sleeping = [e for e in of(trace, "lock") if e.args["kind"] == "mutex"]
    assert any("sys_" in e.args.get("caller", "") or "+0x" in e.args.get("caller", "") for e in sleeping), of(trace, "lock")[:5]


def test_S13_marker(recorded):
    assert [e.args["text"] for e in of(recorded.trace("marker"), "text")] == ['a "quoted" text']


def test_S13_filter_of_events(recorded):
    assert {e.name for e in recorded.trace("switches").events} == {"switch", "wake"}
    assert recorded.text("/filter1") == "switch wake\n"
    left = set(recorded.text("/filter2").split())
    assert left == ALL - {"sys", "sys_end", "lock", "lock_end", "irq", "irq_end"} | {"irq", "irq_end"}


ALL = {"switch", "wake", "migrate", "fork", "exec", "exit", "fault", "fault_end", "sys", "sys_end", "irq", "irq_end", "timer",
       "block", "block_end", "lock", "lock_end", "signal", "deliver", "text"}


def test_S13_filter_of_pids(recorded):
    """Only of that process and of what it forks; and what others do to it."""
    trace, facts = recorded.trace("only"), recorded.facts("only")
    root = int(re.search(r"fact only (\d+)", recorded.text("/only.pid")).group(1))
    family = {root}
    for e in of(trace, "fork"):
        assert e.tid in family, e
        family.add(e.args["tid"])
    assert facts["self"] in family and facts["pong"] in family
    for e in trace.events:
        about = e.args.get("next", e.args.get("tid")) if e.name in ("switch", "wake", "migrate", "signal") else None
        assert e.tid in family or about in family, e
    assert {e.tid for e in trace.events} >= family


def test_S13_off_is_off(recorded):
    assert recorded.trace("off").events == []


def test_S13_what_was_lost_is_told(recorded):
    trace = recorded.trace("small")
    assert recorded.text("/size") == "64\n"
    assert trace.lost and all(n > 0 for n in trace.lost.values())
    kept = defaultdict(int)
    for e in trace.events:
        kept[e.hart] += 1
    assert all(kept[h] == 63 for h in trace.lost) and all(n <= 63 for n in kept.values())


def test_S13_turning_on_and_off_and_resizing_under_load(boot, image):
    """Harts record while others take the rings away, make new ones and read them; afterwards a trace is whole."""
    m = start(boot, image, smp=4)
    m.send_line("for i in 1 2 3; do (while [ ! -e /tmp/end ]; do workload; done) > /dev/null & done")
    m.wait_prompt()
    output = m.check("for size in 16 1000 64 5000 16 300 32 16384; do echo $size > /proc/trace/size; echo 1 > /proc/trace/on; "
                     "cat /proc/trace/events > /dev/null & usleep 50000; head -c 200000 /proc/trace/events > /tmp/events; "
                     "echo 0 > /proc/trace/on; echo > /proc/trace/clear; wait $!; done; echo done; touch /tmp/end; wait", timeout=120)
    assert "done" in output and "rror" not in output, output
    m.check("t all workload", timeout=60)
    m.check("grep -c ' switch ' /all.trace; grep -c 'sys_end .*clone' /all.trace; sync")
    head = m.check("head -c 300 /tmp/events")
    assert "# xv39 trace 1" in head and "# harts 4" in head, head


# ---- on the console

EXPECTED = r'''
[pid P] openat(AT_FDCWD, "/nowhere", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
[pid P] openat(AT_FDCWD, "/tmp/calls", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3
[pid P] write(3, "0123456789abcdef0123456789ABCDEF"..., 33) = 33
[pid P] lseek(3, -3, SEEK_END) = 30
[pid P] read(3, "EF!", 64) = 3
[pid P] write(3, "a \"b\"\\\n\x01", 8) = 8
[pid P] write(3, NULL, 5) = -1 EFAULT (Bad address)
[pid P] openat(3, "relative", O_WRONLY|O_APPEND|O_NONBLOCK) = -1 ENOTDIR (Not a directory)
[pid P] close(3) = 0
[pid P] close(3) = -1 EBADF (Bad file descriptor)
[pid P] unlinkat(AT_FDCWD, "/tmp/calls", 0) = 0
[pid P] mmap(0x10000000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, -1, 0) = 0x10000000
[pid P] mprotect(0x10000000, 4096, PROT_NONE) = 0
[pid P] munmap(0x10000000, 4096) = 0
[pid P] kill(1, 0) = 0
[pid P] kill(-5000, SIGTERM) = -1 ESRCH (No such process)
[pid P] execve("/tmp/nothing", ["one", "two words"], NULL) = -1 ENOENT (No such file or directory)
[pid P] clone(SIGCHLD, NULL, NULL, NULL, NULL) = C
[pid C] exit(4) = ?
[pid P] wait4(-1, NULL, 0, NULL) = C
[pid P] wait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD (No child processes)
[pid P] syscall_0(0x1, 0x2, 0x3, NULL, NULL, NULL) = -1 ENOSYS (Function not implemented)
[pid P] exit_group(3) = ?
'''


def strace_lines(output: str) -> list[str]:
    """The lines with P and C for the numbers of parent and child, and the child's end in front of its parent's."""
    lines = re.findall(r"(?m)^\[pid \d+\] .*$", output)
    parent = re.match(r"\[pid (\d+)\]", lines[0]).group(1)
    child = re.search(r"clone\(.* = (\d+)", output).group(1)
    lines = [line.replace(f"[pid {parent}]", "[pid P]").replace(f"[pid {child}]", "[pid C]") for line in lines]
    return sorted(re.sub(rf"((?:clone|wait4)\(.* = ){child}$", r"\1C", line) for line in lines)


@pytest.mark.parametrize("smp", [1, 4])
def test_D4_strace_of_a_program_by_its_name(boot, image, smp):
    """Exactly its calls, whole lines also when parent and child run on two harts; and nobody else's."""
    m = start(boot, image, smp=smp)
    m.check("echo calls > /proc/trace/strace")
    status, output = m.run("ls > /dev/null; calls")
    assert status == 3
    assert strace_lines(output) == sorted(EXPECTED.split("\n")[1:-1])
    order = [line for line in re.findall(r"(?m)^\[pid \d+\] (.*)$", output) if "exit(4)" not in line]
    assert [line.split("(")[0] for line in order] == [re.match(r"\[pid P\] (\w+)", line).group(1) for line in EXPECTED.split("\n")
                                                      if line.startswith("[pid P]")]
    m.check("echo > /proc/trace/strace")
    assert "[pid" not in m.run("calls")[1]


def test_D4_strace_of_a_process_by_its_number(boot, image):
    first = "mount -t proc proc /proc; echo > /proc/trace/strace; exec sh"
    m = boot(disks=[image], append=f'init=/bin/sh debug=syscall:1 -- -c "{first}"', shell="posix")
    m.wait_prompt()
    assert re.search(r"(?m)^\[pid 1\] getpid\(\) = 1$", m.text()) and "[pid 2]" not in m.text()
    assert re.search(r'(?m)^\[pid \d+\] mount\("proc", "/proc", "proc", 0x\w+, \S+\) = 0$', m.text()), m.text()
    output = m.check("sh -c 'echo $$ > /proc/trace/strace; cd /nowhere 2> /dev/null; exec /bin/true'")
    assert re.search(r'(?m)^\[pid \d+\] chdir\("/nowhere"\) = -1 ENOENT \(No such file or directory\)$', output), output
    assert re.search(r'(?m)^\[pid \d+\] execve\("/bin/true", \["/bin/true"\], 0x[0-9a-f]+ /\* \d+ vars? \*/\) = 0$', output), output
    assert re.search(r"(?m)^\[pid \d+\] exit_group\(0\) = \?$", output), output
    assert m.run("echo 29999 > /proc/trace/strace")[0] == 1
    m.check("echo > /proc/trace/strace")
    assert "[pid" not in m.check(f"echo {2**32 + 1} > /proc/trace/strace; cd /")  # no number of the shell, which is 1


def test_T13_of_several_oopses_at_once_one_is_whole(boot, image):
    """Four harts fall within microseconds: the report of the first is there, line by line, and nothing of the others."""
    m = start(boot, image, "panic=-1", smp=4)
    m.send_line("for i in 1 2 3 4 5 6; do (while [ ! -e /go ]; do :; done; echo c > /proc/sysrq-trigger) & done; sleep 1; echo > /go")
    m.wait_end(crash_ok=True)
    report = m.before[m.before.index("oops:"):]
    assert report.count("oops:") == 1 and report.count("panic:") == 1, report
    lines = [line for line in report.replace("\r", "").split("\n") if line]
    kinds = [r"oops: kernel page fault: cause 13 .*, hart \d", r"(  +[a-z]+[0-9]* [0-9a-f]{16})+", r"(panic: .*|backtrace:)",
             r"  ffffffc[0-9a-f]{9} \w+\+0x[0-9a-f]+"]
    assert all(any(re.fullmatch(kind, line) for kind in kinds) for line in lines[:20]), report


@pytest.mark.parametrize("smp", [1, 4])
def test_D4_an_oops_shows_the_last_events(boot, image, smp):
    """trace= from the start; the last line of the hart that fell is its write to sysrq-trigger."""
    m = start(boot, image, "trace=all panic=-1", smp=smp)
    m.check("ls /bin > /dev/null")
    m.send_line("echo c > /proc/sysrq-trigger")
    m.wait_end(crash_ok=True)
    report = m.before
    hart = int(re.search(r"oops: .*, hart (\d+)", report).group(1))
    parts = re.split(r"(?m)^trace, hart (\d+):\r?\n", report)
    tails = {int(h): [line for line in text.splitlines() if LINE.fullmatch(line)] for h, text in zip(parts[1::2], parts[2::2])}
    assert hart in tails and all(1 <= len(lines) <= 32 for lines in tails.values())
    last = [line for line in tails[hart] if not re.search(r"\d (irq|irq_end|timer) ", line)][-1]  # a tick may come between
    assert re.search(rf" {hart} 1 sys nr=64 name=write a0=0x1 ", last), tails[hart]
    assert report.count("oops:") == 1 and report.count("panic:") == 1
