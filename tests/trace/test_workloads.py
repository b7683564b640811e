"""S13: traces of workloads whose every step is known, on the real kernel: exactly the right slices and arrows."""
from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from xv39 import paths, traces

ROUNDS, DEPTH, COLD = traces.ROUNDS, traces.DEPTH, traces.COLD


def output(t, which: int) -> str:
    return t.output.split("-\n")[which]


def inside(inner, outer) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def calls(t, tid: int, name: str, fd: int | None = None) -> list:
    found = t.story.find("sys", tid, name)
    return [s for s in found if fd is None or s.about["call"].startswith(f"{name}({fd}, ")]


def test_S13_nothing_overlaps_or_is_cut(t):
    assert not t.trace.lost, t.said
    for s in t.story.slices:
        # Cut is only what was going on when tracing began or ended.
        assert not s.cut & traces.BEGIN_CUT or s.start == t.trace.on or s.kind == "sleeping", s
        assert not s.cut & traces.END_CUT or s.end == t.trace.off, s
    for kind in ("hart", "state"):
        level = [s for s in t.story.slices if s.track[0] == kind and s.kind != "irq" and s.kind != "lock"]
        for track in {s.track for s in level}:
            ends = 0
            for s in sorted((s for s in level if s.track == track), key=lambda s: (s.start, s.end)):
                assert s.start >= ends, f"{s} overlaps"
                ends = s.end
    events = Counter(e.name for e in t.trace.events)
    whole = Counter(s.kind for s in t.story.slices)
    for kind in ("irq", "fault", "block", "lock"):
        assert whole[kind] >= max(events[kind], events[kind + "_end"]), kind
        assert whole[kind] <= events[kind] + sum(s.cut & traces.BEGIN_CUT for s in t.story.slices if s.kind == kind), kind
    assert whole["sys"] >= events["sys"]


def test_S13_pingpong(t):
    parent, child = map(int, output(t, 0).split())
    for me, peer, (reads, writes) in ((parent, child, (102, 101)), (child, parent, (100, 103))):
        assert len(calls(t, me, "read", reads)) == len(calls(t, me, "write", writes)) == ROUNDS
        assert not any(s.cut for s in calls(t, me, "read", reads) + calls(t, me, "write", writes))
        balls = calls(t, me, "write", writes)
        waits = calls(t, peer, "read", writes - 1)
        arrows = [f for f in t.story.flows if f.kind == "wake" and f.source in balls]
        assert len(arrows) == ROUNDS and len({f.source.number for f in arrows}) == ROUNDS
        for arrow in arrows:
            assert arrow.source.start <= arrow.start <= arrow.source.end
            assert arrow.start <= arrow.end == arrow.target.start
            assert t.story.tasks[arrow.target.task].tid == peer
            assert arrow.target.name == f"running on hart {0 if peer == parent else 1}"
            assert arrow.slept == "pipe_read"
            assert any(w.start < arrow.start and arrow.end <= w.end for w in waits)
        # Every sleep in the pipe is ended by one of these arrows.
        mine = [f for f in t.story.flows if f.slept == "pipe_read" and t.story.tasks[f.target.task].tid == peer]
        assert mine == arrows
        slept = [s for s in t.story.find("sleeping", peer) if s.name == "slept on pipe_read"]
        assert len(slept) == ROUNDS


def test_S13_fork_tree(t):
    told = [tuple(map(int, line.split())) for line in output(t, 1).splitlines()]
    depth = {pid: level for pid, _, level in told}
    assert len(told) == len(depth) == 2 ** (DEPTH + 1) - 1
    forks = {(e.tid, e.args["tid"]) for e in t.trace.events if e.name == "fork"}
    assert {(parent, pid) for pid, parent, _ in told} <= forks
    assert len(forks & {(a, b) for a in depth for b in depth}) == len(told) - 1
    for pid, _, level in told:
        children = 2 if level < DEPTH else 0
        assert [s.about["result"] for s in calls(t, pid, "clone")] == [str(b) for a, b in sorted(forks) if a == pid]
        assert len(calls(t, pid, "clone")) == children
        waits = calls(t, pid, "wait4")
        assert sorted(int(s.about["result"]) for s in waits) == sorted(p for p, parent, _ in told if parent == pid)
        ends = calls(t, pid, "exit_group")
        assert len(ends) == 1 and ends[0].about["ended by"] == "exit of the task" and not ends[0].cut
        last = max(t.story.find("run", pid), key=lambda s: s.start)
        assert last.about["then"] == "exited" and last.end == ends[0].end
        born = [f for f in t.story.flows if t.story.tasks[f.target.task].tid == pid][0]
        assert born.source.name == "clone" and born.start <= born.end


def test_S13_disk_read(t, image):
    blocks = [int(n) for n in paths.run("debugfs", "-R", "blocks /cold", image).stdout.split()]
    size = int(re.search(r"Block size:\s+(\d+)", paths.run("dumpe2fs", "-h", image).stdout)[1])
    per_block = size // 512
    data = paths.run("debugfs", "-R", "stat /cold", image).stdout
    indirect = {int(n) for n in re.findall(r"\((?:IND|DIND|TIND)\):(\d+)", data)}
    wanted = {b * per_block + i for b in blocks if b not in indirect for i in range(per_block)}
    assert len(wanted) * 512 == (COLD + size - 1) // size * size
    read = [s for s in t.story.find("sys", name="read") if s.about["result"] == str(COLD)]
    assert len(read) == 1
    found = []
    for request in t.story.find("block"):
        sectors = range(request.about["sector"], request.about["sector"] + request.about["bytes"] // 512)
        if not wanted & set(sectors):
            continue
        found += sectors
        assert request.name.startswith("read") and request.track == ("disk", "vda") and request.about["result"] == "0"
        assert request.start < request.end and inside(request, read[0]), request
    assert sorted(found) == sorted(wanted)


def test_S13_signals(t):
    parent, child = map(int, output(t, 3).split())
    told = [i.name for i in t.story.instants if i.kind == "signal"]
    assert f"SIGKILL to traced {child}" in told and f"SIGSTOP to traced {child}" in told
    assert [s.kind for s in t.story.find("stopped", child)] == ["stopped"]
    assert t.story.find("run", child)[-1].about["then"] == "exited"
    assert calls(t, parent, "wait4")


def test_S13_chrome_file(t):
    """The status of the last command is told, and Perfetto's rules hold: complete slices of a thread lie inside each other or apart; each arrow has both ends, in slices."""
    assert "ended with status 1" in t.said
    events = json.loads(t.json.read_text())["traceEvents"]
    lines: dict[tuple, list] = {}
    for e in events:
        if e["ph"] == "X":
            lines.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["ts"] + e["dur"]))
    for line in lines.values():
        open_ends: list[float] = []
        for start, end in sorted(line, key=lambda s: (s[0], -s[1])):
            while open_ends and open_ends[-1] <= start + 1e-4:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1] + 1e-4, "slices overlap"
            open_ends.append(end)
    starts = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    assert len(starts) == len(ends) == len(t.story.flows) and starts.keys() == ends.keys()
    for number, e in ends.items():
        assert starts[number]["ts"] <= e["ts"]
        for end in (starts[number], e):
            assert any(a <= end["ts"] + 1e-4 and end["ts"] <= b + 1e-4 for a, b in lines[end["pid"], end["tid"]]), end
    named = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    assert lines.keys() <= named


def test_S13_lost_events(image, tmp_path):
    """A ring that is too small: said so, and nothing is paired over the gap."""
    t = traces.Traced(tmp_path, image, "traced tree 3; ls /bin", size=256)
    assert t.trace.lost and "SIZE=" in t.said
    for hart, count in t.trace.lost.items():
        assert f"hart {hart} lost its {count} oldest events" in t.said
    assert any(s.cut for s in t.story.slices)
    begins = {(e.ns, e.tid, e.args["name"]) for e in t.trace.events if e.name == "sys"}
    for s in t.story.find("sys"):
        if not s.cut & traces.BEGIN_CUT:
            assert (s.start, t.story.tasks[s.task].tid, s.name) in begins


@pytest.mark.parametrize("command, said, status", [
    ("nosuchprogram", "knows no such command", 1),
    ("echo c > /proc/sysrq-trigger", "the guest's kernel crashed: oops: kernel page fault", 1),
    ("echo o > /proc/sysrq-trigger", "there is no trace", 1),
])
def test_S13_trouble(image, tmp_path, command, said, status):
    done = traces.tool("--kernel", paths.KERNEL, "--image", image, "--out", tmp_path / "t.json", command)
    assert done.returncode == status and said in done.stderr, done.stdout + done.stderr
    assert not re.search(r"Traceback", done.stderr)
