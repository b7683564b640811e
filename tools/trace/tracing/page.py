"""trace.html: the picture in one file. page.html is the page; here its data are put into it.

The data are columns of numbers, and a table of strings to which most of them point, so that 200 000 events load fast.
"""
from __future__ import annotations

import json
from pathlib import Path

from .story import Story

TEMPLATE = Path(__file__).with_name("page.html")
PLACE = "{/* data */}"


class Strings(dict):
    """Each string once; its number."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


def _details(about: dict) -> str:
    return "\n".join(f"{key}: {value}" for key, value in about.items() if key != "sector")


def _tracks(story: Story) -> list[dict]:
    """In the order of the picture: harts, disks, then tasks by tid; a task's calls and states are two tracks."""
    seen = {s.track for s in story.slices} | {i.track for i in story.instants}
    tracks = [{"kind": "hart", "label": f"hart {h.number}", "key": ("hart", h.number)} for h in story.harts]
    tracks += [{"kind": "disk", "label": track[1], "key": track} for track in sorted(t for t in seen if t[0] == "disk")]
    for task in sorted(story.tasks, key=lambda t: (t.tid, t.number)):
        for kind in ("state", "calls"):
            tracks.append({"kind": kind, "label": str(task), "key": (kind, task.number), "task": task.number, "tid": task.tid})
    return tracks


def data(story: Story, about: dict) -> dict:
    trace, strings, tracks = story.trace, Strings(), _tracks(story)
    number_of = {track.pop("key"): number for number, track in enumerate(tracks)}
    slices, flows, instants = story.slices, story.flows, story.instants
    columns = {
        "track": [number_of[s.track] for s in slices], "row": [s.row for s in slices],
        "kind": [strings[s.kind] for s in slices], "name": [strings[s.name] for s in slices],
        "start": [s.start - trace.on for s in slices], "length": [s.end - s.start for s in slices],
        "cut": [s.cut for s in slices], "task": [s.task for s in slices],
        "about": [strings[_details(s.about)] for s in slices],
    }
    arrows = {
        "start": [f.start - trace.on for f in flows], "end": [f.end - trace.on for f in flows],
        "source": [f.source.number for f in flows], "target": [f.target.number for f in flows],
        "kind": [strings[f.kind] for f in flows],
    }
    points = {
        "track": [number_of[i.track] for i in instants], "at": [i.ns - trace.on for i in instants],
        "kind": [strings[i.kind] for i in instants], "name": [strings[i.name] for i in instants],
        "about": [strings[_details(i.about)] for i in instants],
    }
    return {"about": about, "length": trace.off - trace.on, "lost": trace.lost, "events": len(trace.events), "tracks": tracks,
            "tasks": [{"tid": t.tid, "pid": t.pid, "comm": t.comm} for t in story.tasks],
            "slices": columns, "flows": arrows, "instants": points, "strings": list(strings)}


def write(story: Story, out, about: dict) -> None:
    page = TEMPLATE.read_text(encoding="utf-8")
    text = json.dumps(data(story, about), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    before, after = page.split(PLACE)
    out.write(before + text + after)
