"""The text of /proc/trace/events: read completely, checked, and nothing concluded yet.

    # xv39 trace 1
    # harts 2
    # on 1000 off 90000             nanoseconds since boot
    # lost 1 340                    hart 1's ring wrapped: its 340 oldest events are gone
    # task 5 5 "sh"                 tid, pid, name of every task that is alive at reading
    0.000002000 0 5 sys nr=63 name=read a0=0x3 …
    seconds     hart, tid that runs there (0: idle), event, its values
"""
from __future__ import annotations

import re
from typing import Iterable, NamedTuple

Value = "int | str"

# What each event must have; more may come, as kernels grow.
NEEDED = {
    "switch": ("state", "preempted", "next"), "wake": ("tid", "hart"), "migrate": ("tid", "from", "to"),
    "fork": ("tid", "pid", "comm"), "exec": ("comm",), "exit": ("status",),
    "fault": ("addr", "pc", "access", "user"), "fault_end": ("addr",),
    "sys": ("nr", "name"), "sys_end": ("nr", "name", "ret"), "irq": ("kind",), "irq_end": ("kind",),
    "timer": ("fn",), "block": ("id", "dev", "write", "sector", "bytes"), "block_end": ("id", "error"),
    "lock": ("addr", "kind"), "lock_end": ("addr",), "signal": ("nr", "tid"), "deliver": ("nr",), "text": ("text",),
}
WORDS = {"state", "comm", "access", "name", "kind", "fn", "dev", "text"}  # the others are numbers

LINE = re.compile(r"(\d+)\.(\d{9}) (\d+) (\d+) (\w+)((?: .*)?)")
PAIR = re.compile(r' (?:(\w+)=)?("(?:[^"\\]|\\.)*"|[^\s"]+)')
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
DECIMAL = re.compile(r"-?\d+")


class TraceError(Exception):
    """What is wrong, in words for whoever gave us the trace."""


class Event(NamedTuple):
    ns: int
    hart: int
    tid: int
    name: str
    args: dict[str, Value]


class Trace:
    def __init__(self) -> None:
        self.harts = 0
        self.lost: dict[int, int] = {}
        self.on = self.off = 0  # ns; the times between which events were recorded
        self.tasks: dict[int, tuple[int, str]] = {}  # tid: pid, comm
        self.events: list[Event] = []


def _unescape(match: re.Match) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 3 else "\n" if code == "n" else code


def _value(word: str) -> Value:
    if word[0] == '"':
        return ESCAPE.sub(_unescape, word[1:-1]) if "\\" in word else word[1:-1]
    if word.startswith("0x"):
        return int(word, 16)
    return int(word) if DECIMAL.fullmatch(word) else word


def _values(words: str) -> dict[str, Value]:
    """ key=value key="a string"; a string without a key is the key "text". ValueError: something else."""
    args, end = {}, 0
    for match in PAIR.finditer(words):
        if match.start() != end:
            raise ValueError(words[end:])
        end = match.end()
        args[match[1] or "text"] = _value(match[2])
    if end != len(words):
        raise ValueError(words[end:])
    return args


def _event(line: str) -> Event:
    match = LINE.fullmatch(line)
    if not match:
        raise ValueError("no event")
    seconds, ns, hart, tid, name, rest = match.groups()
    args = _values(rest)
    for key in NEEDED.get(name, ()):
        if key not in args:
            raise ValueError(f"{name} without {key}")
        if key not in WORDS and not isinstance(args[key], int):
            raise ValueError(f"{name}'s {key} is no number")
    return Event(int(seconds) * 1_000_000_000 + int(ns), int(hart), int(tid), name, args)


def _header(trace: Trace, line: str) -> None:
    words = line.split(" ", 4)[1:]
    if words[0] == "harts":
        trace.harts = int(words[1])
    elif words[0] == "lost":
        trace.lost[int(words[1])] = trace.lost.get(int(words[1]), 0) + int(words[2])
    elif words[0] == "on":
        trace.on, trace.off = int(words[1]), int(words[3])
    elif words[0] == "task":
        trace.tasks[int(words[1])] = int(words[2]), _value(words[3])
    # Others come with later kernels, and hurt nobody.


def read(lines: Iterable[str]) -> Trace:
    """Lines with or without their newline. TraceError tells the number of a bad one."""
    trace, number = Trace(), 0
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if number == 1:
            if line != "# xv39 trace 1":
                raise TraceError(f"this is no trace of xv39: it begins with {line[:60]!r}, not '# xv39 trace 1'")
            continue
        try:
            if line.startswith("#"):
                _header(trace, line)
            elif line:
                trace.events.append(_event(line))
        except (ValueError, IndexError) as why:
            raise TraceError(f"line {number} of the trace is damaged ({why}): {line[:120]!r}") from None
    if number == 0:
        raise TraceError("the trace is empty")
    _check(trace)
    return trace


def _check(trace: Trace) -> None:
    before = 0
    for event in trace.events:
        if event.hart >= trace.harts:
            raise TraceError(f"an event on hart {event.hart}, but the trace says that there are {trace.harts}")
        if event.ns < before:
            raise TraceError(f"time goes back from {before} to {event.ns} ns ({event.name} on hart {event.hart})")
        before = event.ns
    if trace.events:  # a trace that is still on has no end yet
        trace.on = min(trace.on, trace.events[0].ns) if trace.on else trace.events[0].ns
        trace.off = max(trace.off, before)
