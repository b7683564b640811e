"""S13: from the text of a trace to slices and arrows, on traces made by hand: pairs, arrows, lost pieces, bad input."""
from __future__ import annotations

import io
import json

import pytest

from xv39.traces import BEGIN_CUT, END_CUT, TOOL, TraceError, by_hand, tool

from tracing import calls, chrome, page, text

READ = "sys nr=63 name=read a0=0x3 a1=0x1000 a2=0x1 a3=0x0 a4=0x0 a5=0x0"
READ_END = "sys_end nr=63 name=read ret=1"


def shape(slices) -> list[tuple]:
    return [(s.kind, s.name, s.start, s.end, s.cut) for s in sorted(slices, key=lambda s: (s.start, -s.end))]


def track(story, *which) -> list[tuple]:
    return shape(s for s in story.slices if s.track == which)


def task(story, tid: int) -> int:
    return next(t.number for t in story.tasks if t.tid == tid)


SLEEP = f"""
    2000 0 5 {READ}
    3000 0 5 switch state=S preempted=0 wchan="pipe_read" next=0
    4000 1 6 wake tid=5 hart=0
    5000 0 0 switch state=R preempted=1 next=5
    6000 0 5 {READ_END}
"""


def test_S13_call_that_sleeps():
    s = by_hand(SLEEP)
    a = task(s, 5)
    assert track(s, "calls", a) == [("sys", "read", 2000, 6000, 0)]
    call = s.find("sys", 5)[0]
    assert call.about["call"] == "read(3, 0x1000, 1)" and call.about["result"] == "1"
    assert track(s, "state", a) == [
        ("running", "running on hart 0", 1000, 3000, BEGIN_CUT), ("sleeping", "slept on pipe_read", 3000, 4000, 0),
        ("runnable", "runnable on hart 0", 4000, 5000, 0), ("running", "running on hart 0", 5000, 100_000, END_CUT)]
    assert track(s, "hart", 0) == [("run", "a 5", 1000, 3000, BEGIN_CUT), ("idle", "idle", 3000, 5000, 0),
                                   ("run", "a 5", 5000, 100_000, END_CUT)]
    assert s.find("run", 5)[0].about["then"] == "slept on pipe_read"
    second = s.find("run", 5)[1].about
    assert second["woken by"] == "b 6" and second["waited"] == "1 µs"


def test_S13_arrow():
    s = by_hand(SLEEP)
    (arrow,) = s.flows
    assert (arrow.kind, arrow.start, arrow.end, arrow.slept) == ("wake", 4000, 5000, "pipe_read")
    assert arrow.source.track == ("state", task(s, 6)) and arrow.target.track == ("state", task(s, 5))
    assert arrow.target.start == 5000


def test_S13_arrow_from_a_call_and_from_an_interrupt():
    s = by_hand(f"""
        2000 0 5 switch state=S preempted=0 wchan="x" next=0
        3000 1 6 sys nr=64 name=write a0=0x1 a1=0x0 a2=0x0
        3500 1 6 wake tid=5 hart=0
        4000 0 0 switch state=R preempted=1 next=5
        5000 0 5 switch state=S preempted=0 wchan="sleep" next=0
        6000 0 0 irq kind=timer nr=5
        6100 0 0 timer fn="task_timeout"
        6200 0 0 wake tid=5 hart=0
        6300 0 0 irq_end kind=timer
        6400 0 0 switch state=R preempted=1 next=5
    """)
    assert [f.source.name for f in s.flows] == ["write", "timer interrupt"]
    assert [f.slept for f in s.flows] == ["x", "sleep"]
    assert s.find("run", 5)[-1].about["woken by"] == "timer interrupt on hart 0"
    assert [(i.name, i.track) for i in s.instants if i.kind == "timer"] == [("timer: task_timeout", ("hart", 0))]


def test_S13_wake_of_a_task_that_still_runs_makes_no_arrow():
    """It had decided to sleep and was woken before it did; its next turn has another cause."""
    s = by_hand("""
        2000 0 5 text "here"
        3000 1 6 wake tid=5 hart=0
        4000 0 5 switch state=R preempted=1 next=1
        5000 0 1 switch state=S preempted=0 wchan="x" next=5
        6000 0 5 switch state=S preempted=0 wchan="y" next=0
        6500 1 6 wake tid=5 hart=0
        7000 0 0 switch state=R preempted=1 next=5
    """)
    assert [(f.start, f.end) for f in s.flows] == [(6500, 7000)]
    assert s.find("run", 5)[0].about["then"] == "preempted"


def test_S13_a_wake_before_the_sleep_is_not_the_one_that_ends_it():
    s = by_hand("""
        2000 0 5 text "here"
        3000 1 6 wake tid=5 hart=0
        4000 0 5 switch state=S preempted=0 wchan="x" next=0
        5000 1 6 wake tid=5 hart=0
        6000 0 0 switch state=R preempted=1 next=5
    """)
    assert [(f.start, f.end) for f in s.flows] == [(5000, 6000)]


def test_S13_second_wake_changes_nothing():
    s = by_hand("""
        2000 0 5 switch state=S preempted=0 wchan="x" next=0
        3000 1 6 wake tid=5 hart=0
        3500 1 6 wake tid=5 hart=0
        4000 0 0 switch state=R preempted=1 next=5
    """)
    assert [(f.start, f.end) for f in s.flows] == [(3000, 4000)]


def test_S13_call_goes_on_on_another_hart():
    s = by_hand(f"""
        2000 0 5 {READ}
        2500 0 5 fault addr=0x1000 pc=0x99 access=w user=0
        3000 0 5 switch state=D preempted=0 wchan="disk" next=0
        3500 1 0 wake tid=5 hart=1
        4000 1 0 switch state=R preempted=1 next=5
        5000 1 5 fault_end addr=0x1000 error=0
        6000 1 5 {READ_END}
    """)
    assert track(s, "calls", task(s, 5)) == [("sys", "read", 2000, 6000, 0), ("fault", "fault: write", 2500, 5000, 0)]
    assert [x.row for x in s.slices if x.track[0] == "calls"] == [0, 1]
    assert s.find("sys", 5)[0].about["hart"] == "0, at the end 1"
    assert s.find("sleeping", 5)[0].about["cannot be interrupted"] == "yes"


def test_S13_fork_and_exit():
    s = by_hand("""
        2000 0 5 sys nr=220 name=clone a0=0x11 a1=0x0
        2500 0 5 fork tid=9 pid=9 comm="a"
        2600 0 5 wake tid=9 hart=1
        2700 0 5 sys_end nr=220 name=clone ret=9
        3000 1 0 switch state=R preempted=1 next=9
        3500 1 9 exec comm="ls"
        4000 1 9 sys nr=94 name=exit_group a0=0x3
        4100 1 9 exit status=3
        4500 1 9 switch state=Z preempted=0 next=0
    """)
    child = task(s, 9)
    assert track(s, "state", child) == [("runnable", "runnable, new", 2500, 3000, 0), ("running", "running on hart 1", 3000, 4500, 0)]
    assert [(f.kind, f.source.name, f.end) for f in s.flows] == [("wake", "clone", 3000)]
    assert shape(s.find("sys", 9)) == [("sys", "exit_group", 4000, 4500, 0)]
    assert s.find("run", 9)[0].about["then"] == "exited"
    assert s.tasks[child].comm == "ls"


def test_S13_tid_given_out_again_is_another_task():
    s = by_hand("""
        2000 0 5 fork tid=9 pid=9 comm="x"
        2100 1 0 switch state=R preempted=1 next=9
        2200 1 9 switch state=Z preempted=0 next=0
        2300 0 5 fork tid=9 pid=9 comm="y"
        2400 1 0 switch state=R preempted=1 next=9
    """)
    assert [t.comm for t in s.tasks if t.tid == 9] == ["x", "y"]
    assert [(f.kind, f.start) for f in s.flows] == [("fork", 2000), ("fork", 2300)]


def test_S13_tracing_begins_and_ends_inside_calls():
    s = by_hand(f"""
        2000 0 5 {READ_END}
        3000 0 5 sys nr=64 name=write a0=0x1 a1=0x0 a2=0x0
        4000 1 0 irq_end kind=ipi
        4200 1 0 fault_end addr=0x5 error=0
        5000 1 0 block_end id=7 error=0
    """)
    assert shape(s.find("sys")) == [("sys", "read", 1000, 2000, BEGIN_CUT), ("sys", "write", 3000, 100_000, END_CUT)]
    assert shape(s.find("irq")) == [("irq", "ipi interrupt", 1000, 4000, BEGIN_CUT)]
    assert shape(s.find("block")) == [("block", "request", 1000, 5000, BEGIN_CUT)]
    assert [i.name for i in s.instants] == ["fault_end"]  # of an idle hart: makes no sense, is shown


def test_S13_end_that_is_missing_is_not_taken_from_the_next_call():
    s = by_hand(f"""
        2000 0 5 {READ}
        3000 0 5 {READ}
        4000 0 5 {READ_END}
        5000 0 5 {READ_END}
    """)
    assert shape(s.find("sys")) == [("sys", "read", 2000, 3000, END_CUT), ("sys", "read", 3000, 4000, 0),
                                    ("sys", "read", 4000, 5000, BEGIN_CUT)]


def test_S13_nothing_is_paired_over_lost_events():
    """Task 5 sleeps in read on hart 1. Hart 0's ring begins later: there the call may have ended, and another begun."""
    s = by_hand(f"""
        2000 1 5 {READ}
        3000 1 5 switch state=S preempted=0 wchan="pipe_read" next=6
        4000 1 6 {READ}
        8000 0 5 text "first of hart 0"
        9000 0 5 {READ_END}
        9500 1 6 {READ_END}
    """, lost="0 100")
    assert shape(s.find("sys", 5)) == [("sys", "read", 2000, 8000, END_CUT), ("sys", "read", 8000, 9000, BEGIN_CUT)]
    assert shape(s.find("sys", 6)) == [("sys", "read", 4000, 9500, 0)]  # was on hart 1 all the time
    assert shape(s.find("sleeping", 5)) == [("sleeping", "slept on pipe_read", 3000, 8000, END_CUT)]
    assert track(s, "hart", 0)[0] == ("run", "a 5", 8000, 100_000, BEGIN_CUT | END_CUT)
    assert not s.flows


def test_S13_missing_switch():
    s = by_hand("""
        2000 0 5 text "x"
        3000 0 6 text "y"
    """)
    assert track(s, "hart", 0) == [("run", "a 5", 1000, 3000, BEGIN_CUT | END_CUT), ("run", "b 6", 3000, 100_000, BEGIN_CUT | END_CUT)]


def test_S13_lock_inside_a_switch():
    """Between the decision and the other stack it is still the old task that speaks."""
    s = by_hand("""
        2000 0 5 switch state=R preempted=1 next=6
        2100 0 5 lock addr=0x8 kind=spin caller="tlb_load+0x1"
        2200 0 5 lock_end addr=0x8
        3000 0 6 text "y"
    """)
    assert track(s, "hart", 0) == [("run", "a 5", 1000, 2000, BEGIN_CUT), ("run", "b 6", 2000, 100_000, END_CUT),
                                   ("lock", "spin lock tlb_load+0x1", 2100, 2200, 0)]


def test_S13_disk_requests_overlap():
    s = by_hand("""
        2000 0 5 block id=-3 dev="vda" write=0 sector=8 bytes=4096
        2500 0 5 block id=-4 dev="vda" write=1 sector=64 bytes=512
        3000 0 0 block_end id=-4 error=-5
        4000 0 0 block_end id=-3 error=0
        5000 0 0 block id=-3 dev="vda" write=0 sector=16 bytes=512
    """)
    assert [(b.start, b.end, b.row, b.cut) for b in s.find("block")] == [(2000, 4000, 0, 0), (2500, 3000, 1, 0), (5000, 100_000, 0, END_CUT)]
    assert s.find("block")[0].about["sectors"] == "8 to 15" and s.find("block")[1].about["result"] == "-5 EIO"


def test_S13_locks_signals_and_text():
    s = by_hand(r"""
        2000 0 5 lock addr=0xffffffc0 kind=mutex name="pipe"
        2500 0 5 lock_end addr=0xffffffc0
        3000 0 5 irq kind=device nr=8
        3100 0 5 lock addr=0xffffffc8 kind=spin caller="disk_interrupt+0x1e8"
        3200 0 5 lock_end addr=0xffffffc8
        3300 0 5 irq_end kind=device
        4000 0 5 signal nr=9 tid=6
        4100 1 6 deliver nr=11
        5000 0 5 text "say \"hi\"\\\n\x07é"
        6000 0 5 migrate tid=6 from=1 to=0
        7000 0 5 somethingnew value=3
    """)
    locks = s.find("lock")
    assert [(x.name, x.track, x.start, x.end) for x in locks] == [
        ("mutex lock pipe", ("calls", task(s, 5)), 2000, 2500), ("spin lock disk_interrupt+0x1e8", ("hart", 0), 3100, 3200)]
    assert [x.row for x in s.slices if x.track == ("hart", 0) and x.kind in ("irq", "lock")] == [1, 2]
    assert [i.name for i in s.instants] == ["SIGKILL to b 6", "gets SIGSEGV", 'say "hi"\\\n\x07é', "b 6 moves to hart 0", "somethingnew"]


@pytest.mark.parametrize("lines, said", [
    ("", "is empty"),
    ("hello\n", "no trace of xv39"),
    ("# xv39 trace 2\n", "no trace of xv39"),
    ("# xv39 trace 1\n# harts two\n", "line 2"),
    ("# xv39 trace 1\n# harts 1\n0.000000001 0 5 sys nr=3", "line 3 .*sys without name"),
    ("# xv39 trace 1\n# harts 1\n0.000000001 0 5 text \"cut o", "line 3"),
    ("# xv39 trace 1\n# harts 1\n0.01 0 5 text \"x\"", "line 3"),
    ("# xv39 trace 1\n# harts 1\n0.000000001 3 5 text \"x\"", "hart 3"),
    ("# xv39 trace 1\n# harts 1\n0.000000002 0 5 text \"x\"\n0.000000001 0 5 text \"x\"", "time goes back"),
    ("# xv39 trace 1\n# harts 1\n0.000000001 0 5 fault addr=zero pc=0x1 access=r user=1", "line 3"),
])
def test_S13_bad_input(lines, said, tmp_path):
    with pytest.raises(TraceError, match=said):
        text.read(lines.splitlines())
    file = tmp_path / "t.txt"
    file.write_text(lines)
    done = tool("--text", file, "--out", tmp_path / "t.json")
    assert done.returncode == 1 and done.stderr.startswith("trace: ") and "Traceback" not in done.stderr


def test_S13_command_line(tmp_path):
    assert TOOL.exists()
    done = tool("--kernel", "nowhere", "true")
    assert done.returncode == 1 and "there is no nowhere" in done.stderr
    assert tool().returncode == 2


def test_S13_words():
    assert calls.arguments({"nr": 56, "name": "openat", "a0": 2**64 - 100, "a1": 0x10, "a2": 0x41, "a3": 0o644}) == \
        "openat(AT_FDCWD, 0x10, 0x41, 0644)"
    assert calls.result(-2) == calls.result(2**64 - 2) == "-2 ENOENT"
    assert (calls.result(-512), calls.result(7), calls.result(0x3ffff000)) == ("-512", "7", str(0x3ffff000))
    assert calls.result(0x3fffffd000) == "0x3fffffd000"
    assert [calls.duration(n) for n in (5, 1500, 2_000_000, 3_000_000_000)] == ["5 ns", "1.5 µs", "2 ms", "3 s"]


def test_S13_files():
    s = by_hand(SLEEP + "7000 0 5 text \"</script>\"")
    out = io.StringIO()
    chrome.write(s, out, {"command": "x"})
    events = json.loads(out.getvalue())["traceEvents"]
    assert sum(e["ph"] == "X" for e in events) == len(s.slices) and [e["ph"] for e in events].count("s") == 1
    read = next(e for e in events if e["name"] == "read")
    assert (read["ts"], read["dur"], read["tid"], read["pid"]) == (1, 4, 5, 5)
    out = io.StringIO()
    page.write(s, out, {"command": "x"})
    assert out.getvalue().count("</script>") == 2 and "http" not in out.getvalue().replace("http-equiv", "")
