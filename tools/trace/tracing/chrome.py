"""trace.json: Chrome's trace-event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

Harts are the threads of one made-up process, disks of another. Each process of the guest is a process, and each task of
it two threads: what it does (its tid), and below it its states, since calls go on while states change.
"""
from __future__ import annotations

import json
from typing import IO, Iterator

from .story import BEGIN_CUT, END_CUT, Slice, Story

HARTS, DISKS, STATES = 1_000_000, 1_000_001, 2_000_000  # pids and tids that no task has
COLOURS = {"running": "thread_state_running", "runnable": "thread_state_runnable", "sleeping": "thread_state_sleeping",
           "idle": "white"}


class Places:
    """pid and tid in the file, for each track."""

    def __init__(self, story: Story) -> None:
        self.disks = sorted({s.track[1] for s in story.slices if s.track[0] == "disk"})
        # A tid that was given out twice: its second task must not share the first one's line.
        seen: set[int] = set()
        self.tids = []
        for task in story.tasks:
            self.tids.append(task.tid if task.tid not in seen else 3_000_000 + task.number)
            seen.add(task.tid)
        self.pids = [task.pid for task in story.tasks]

    def of(self, track: tuple) -> dict[str, int]:
        kind, which = track
        if kind == "hart":
            return {"pid": HARTS, "tid": which}
        if kind == "disk":
            return {"pid": DISKS, "tid": self.disks.index(which)}
        return {"pid": self.pids[which], "tid": self.tids[which] + (STATES if kind == "state" else 0)}


def _names(story: Story, places: Places) -> Iterator[dict]:
    def name(what: str, pid: int, text: str, order: int, tid: int = 0) -> Iterator[dict]:
        yield {"ph": "M", "name": f"{what}_name", "pid": pid, "tid": tid, "args": {"name": text}}
        yield {"ph": "M", "name": f"{what}_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": order}}

    yield from name("process", HARTS, "harts", -2)
    for hart in story.harts:
        yield from name("thread", HARTS, f"hart {hart.number}", hart.number, hart.number)
    if places.disks:
        yield from name("process", DISKS, "disks", -1)
    for number, disk in enumerate(places.disks):
        yield from name("thread", DISKS, disk, number, number)
    for task in story.tasks:
        if task.tid == task.pid:
            yield from name("process", task.pid, task.comm, task.pid)
        for kind, order in (("calls", 0), ("state", 1)):
            place = places.of((kind, task.number))
            yield from name("thread", place["pid"], f"{task.comm}{' (states)' if order else ''}", 2 * task.tid + order,
                            place["tid"])


def _slice(s: Slice, place: dict[str, int], since: int) -> Iterator[dict]:
    about = dict(s.about)
    if s.cut:
        about["open"] = {BEGIN_CUT: "begin is not in the trace", END_CUT: "end is not in the trace"}.get(
            s.cut, "neither begin nor end is in the trace")
    common = {"name": s.name, "cat": s.kind, **place, "ts": (s.start - since) / 1000}
    if s.kind == "block":  # may overlap: an asynchronous pair
        yield {**common, "ph": "b", "id": s.number, "args": about}
        yield {**common, "ph": "e", "id": s.number, "ts": (s.end - since) / 1000}
        return
    colour = {"cname": COLOURS[s.kind]} if s.kind in COLOURS else {}
    yield {**common, "ph": "X", "dur": (s.end - s.start) / 1000, "args": about, **colour}


def events(story: Story) -> Iterator[dict]:
    places, since = Places(story), story.trace.on
    yield from _names(story, places)
    for s in story.slices:
        yield from _slice(s, places.of(s.track), since)
    for number, flow in enumerate(story.flows):
        common = {"name": flow.kind, "cat": "wake", "id": number}
        yield {**common, "ph": "s", **places.of(flow.source.track), "ts": (flow.start - since) / 1000}
        yield {**common, "ph": "f", "bp": "e", **places.of(flow.target.track), "ts": (flow.end - since) / 1000}
    for instant in story.instants:
        yield {"ph": "i", "s": "t", "name": instant.name, "cat": instant.kind, **places.of(instant.track),
               "ts": (instant.ns - since) / 1000, "args": instant.about}
    for ns, ready in story.counter:
        yield {"ph": "C", "name": "running or runnable", "pid": HARTS, "ts": (ns - since) / 1000, "args": {"tasks": ready}}


def write(story: Story, out: IO[str], about: dict) -> None:
    """about: strings that say where the trace comes from."""
    out.write('{"displayTimeUnit":"ns","otherData":%s,"traceEvents":[\n' % json.dumps(about))
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    for number, event in enumerate(events(story)):
        out.write((",\n" if number else "") + encode(event))
    out.write("\n]}\n")
