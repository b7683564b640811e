"""What a trace tells: slices (something from one time to another), arrows between them, and instants.

A track is a line of the picture: ("hart", 0), ("state", n), ("calls", n) or ("disk", "vda"), where n numbers the tasks, since
a tid may be given out again. On a track slices lie beside each other or inside one another.

    hart    run: which task; idle; irq: interrupts, inside
    state   running, runnable, sleeping, stopped: of one task
    calls   sys, fault, lock: what the task does, one inside the other, wherever it runs
    disk    block: from the request to its end; several at a time

A trace may lack pieces. Where a begin or an end is not in it the slice is *cut*: it reaches as far as is known, and says
so. A ring that wrapped has lost all of its hart up to its first event; what some other hart began before that moment may
have ended and begun again unseen, unless the task was on that other hart all the time. There every such slice is cut
in two (a *seam*), so a begin is never paired with an end that is not its own.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from . import calls
from .text import Event, Trace, TraceError

BEGIN_CUT, END_CUT = 1, 2
STATES = {"S": "sleeping", "D": "sleeping", "T": "stopped"}
SIGNALS = dict(enumerate(
    "0 HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU "
    "XFSZ VTALRM PROF WINCH IO PWR SYS".split()))


@dataclass(slots=True)
class Slice:
    track: tuple
    kind: str
    name: str
    start: int
    end: int = -1
    cut: int = 0
    row: int = 0                                # depth inside others of its track
    about: dict = field(default_factory=dict)   # what a reader wants to know, in the order to show it
    task: int = -1                              # number of the task it belongs to; -1: none
    number: int = -1                            # its place in Story.slices


@dataclass(slots=True)
class Flow:
    kind: str      # "wake" or "fork"
    start: int
    end: int       # when the woken task runs
    source: Slice
    target: Slice  # running, on the woken task's state track
    slept: str     # on what the woken task had slept, as far as is known


@dataclass(slots=True)
class Instant:
    track: tuple
    kind: str
    name: str
    ns: int
    about: dict


@dataclass(slots=True)
class Wake:
    kind: str
    ns: int
    source: Slice
    by: str


class Task:
    def __init__(self, number: int, tid: int, pid: int, comm: str, since: int) -> None:
        self.number, self.tid, self.pid, self.comm = number, tid, pid, comm
        self.since = since             # before it nothing of this task is known
        self.run: Slice | None = None  # on the hart's track, while it runs
        self.state: Slice | None = None
        self.stack: list[Slice] = []   # calls that have not ended
        self.wake: Wake | None = None  # since it ran last, or while it runs
        self.switched_out = -1
        self.slept = ""                # wchan of its last sleep
        self.dead = False

    def __str__(self) -> str:
        return f"{self.comm} {self.tid}"


class Hart:
    def __init__(self, number: int, since: int, cut: bool) -> None:
        self.number, self.since, self.cut = number, since, cut
        self.run: Slice | None = None
        self.task: Task | None = None
        self.irqs: list[Slice] = []
        self.quiet = since  # the end of the last interrupt
        self.leaving: int | None = None  # who was switched away from, until the next one's first event
        self.seen = False


class Story:
    """slices, flows and instants of a trace; tasks by number; counter: (ns, how many tasks run or could)."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.slices: list[Slice] = []
        self.flows: list[Flow] = []
        self.instants: list[Instant] = []
        self.tasks: list[Task] = []
        self.counter: list[tuple[int, int]] = []
        self._by_tid: dict[int, Task] = {}
        self._blocks: dict[int, Slice] = {}
        self._ready = 0
        first: dict[int, int] = {}
        for event in trace.events:
            first.setdefault(event.hart, event.ns)
        lost = {hart for hart, count in trace.lost.items() if count}
        self.harts = [Hart(n, first.get(n, trace.off) if n in lost else trace.on, n in lost) for n in range(trace.harts)]
        seams = sorted((hart.since, hart.number) for hart in self.harts if hart.cut)
        for event in trace.events:
            while seams and seams[0][0] <= event.ns:
                self._seam(*seams.pop(0))
            self._arrive(event)
            getattr(self, f"_{event.name}", self._other)(event)
        self._finish()

    # ---- who

    def _task(self, tid: int) -> Task:
        task = self._by_tid.get(tid)
        if task is None:
            pid, comm = self.trace.tasks.get(tid, (tid, "task"))
            task = self._new_task(tid, pid, comm, self.trace.on)
        return task

    def _new_task(self, tid: int, pid: int, comm: str, since: int) -> Task:
        task = Task(len(self.tasks), tid, pid, comm, since)
        self.tasks.append(task)
        self._by_tid[tid] = task
        return task

    def _arrive(self, event: Event) -> None:
        """The event says who runs on its hart. That is news at the hart's first event only, and where events are missing."""
        hart = self.harts[event.hart]
        if hart.seen and (hart.task.tid if hart.task else 0) == event.tid:
            hart.leaving = None
            return
        if event.tid == hart.leaving:  # has decided to switch, and is still busy with it
            return
        if hart.seen:  # a switch is missing
            self._leave(hart, event.ns, "unknown", "its switch is not in the trace", END_CUT)
        start = hart.since if not hart.seen else event.ns
        hart.seen = True
        self._run(hart, self._task(event.tid) if event.tid else None, start, BEGIN_CUT)

    # ---- slices

    def _begin(self, track: tuple, kind: str, name: str, ns: int, task: Task | None, about: dict, cut: int = 0) -> Slice:
        made = Slice(track, kind, name, ns, cut=cut, about=about, task=task.number if task else -1, number=len(self.slices))
        self.slices.append(made)
        return made

    @staticmethod
    def _end(open_slice: Slice, ns: int, cut: int = 0) -> None:
        open_slice.end = max(ns, open_slice.start)
        open_slice.cut |= cut

    def _run(self, hart: Hart, task: Task | None, ns: int, cut: int = 0) -> None:
        """From ns on the hart runs the task, or nothing."""
        track = ("hart", hart.number)
        hart.task = task
        if task is None:
            hart.run = self._begin(track, "idle", "idle", ns, None, {}, cut)
            return
        if task.run:  # it cannot run in two places: its switch there is missing
            where = self.harts[task.run.track[1]]
            self._leave(where, ns, "unknown", "its switch is not in the trace", END_CUT)
            where.seen = False
            where.since = ns
        about = {}
        wake, task.wake = task.wake, None
        if wake and wake.kind == "wake" and wake.ns < task.switched_out and not task.slept:
            wake = None  # it came while the task ran, and the task did not sleep then
        if wake:
            about["woken by"] = wake.by
            about["waited"] = calls.duration(ns - wake.ns)
        task.run = hart.run = self._begin(track, "run", str(task), ns, task, about, cut)
        self._state(task, "running", f"running on hart {hart.number}", ns, dict(about), cut)
        if wake:
            self.flows.append(Flow(wake.kind, wake.ns, ns, wake.source, task.state, task.slept))

    def _leave(self, hart: Hart, ns: int, state: str, why: str, cut: int = 0, more: dict | None = None) -> None:
        """Whoever runs on the hart does so no more; `state` is what he does instead."""
        task = hart.task
        self._end(hart.run, ns, cut)
        if task:
            hart.run.about["then"] = task.state.about["then"] = why
            hart.run.about.update(more or {})
            task.run, task.switched_out = None, ns
            self._state(task, state, why, ns, dict(more or {}))
        hart.task = hart.run = None

    def _state(self, task: Task, kind: str, name: str, ns: int, about: dict, cut: int = 0) -> None:
        ready = ("running", "runnable")
        was = task.state.kind if task.state else "unknown"
        if task.state:
            self._end(task.state, ns, END_CUT if kind == "unknown" else 0)
        task.state = None
        if kind not in ("unknown", "dead"):
            task.state = self._begin(("state", task.number), kind, name, ns, task, about, cut)
        if (was in ready) != (kind in ready):
            self._ready += 1 if kind in ready else -1
            self.counter.append((ns, self._ready))

    def _place(self, event: Event) -> tuple[tuple, list[Slice], Task | None]:
        """Where something that begins now lies: inside an interrupt or a switch, on an idle hart, or in what the task does."""
        hart = self.harts[event.hart]
        if hart.irqs or hart.task is None or event.tid == hart.leaving:
            return ("hart", hart.number), hart.irqs, hart.task
        return ("calls", hart.task.number), hart.task.stack, hart.task

    def _innermost(self, event: Event) -> Slice:
        _, stack, task = self._place(event)
        return stack[-1] if stack else task.state if task else self.harts[event.hart].run

    def _open(self, kind: str, name: str, event: Event, about: dict) -> Slice:
        track, stack, task = self._place(event)
        made = self._begin(track, kind, name, event.ns, task, about)
        made.about["hart"] = event.hart
        stack.append(made)
        return made

    def _close(self, kind: str, name: str, event: Event, same, about: dict, stack: list, track: tuple, since: int) -> Slice:
        """End the innermost slice of that kind for which same(slice); those inside it have lost their ends. If there is none its
        begin is missing: then it is made, and reaches back to `since`."""
        for at in range(len(stack) - 1, -1, -1):
            if stack[at].kind == kind and same(stack[at]):
                for inner in stack[at + 1:]:
                    self._end(inner, event.ns, END_CUT)
                found = stack[at]
                del stack[at:]
                break
        else:
            task = self.harts[event.hart].task
            found = self._begin(track, kind, name, stack[-1].start if stack else since, task, {"hart": event.hart}, BEGIN_CUT)
        self._end(found, event.ns)
        found.about.update(about)
        return found

    def _instant(self, event: Event, name: str, about: dict | None = None) -> None:
        hart = self.harts[event.hart]
        track = ("hart", hart.number) if hart.irqs or hart.task is None else ("calls", hart.task.number)
        self.instants.append(Instant(track, event.name, name, event.ns, {**(about or {}), "hart": event.hart}))

    # ---- seams

    def _seam(self, ns: int, number: int) -> None:
        """Hart `number` is known only from ns on. What may have gone on there unseen is cut here."""
        for task in self.tasks:
            if task.dead:
                continue
            elsewhere = task.run is not None and task.run.track[1] != number
            since = task.run.start if elsewhere else ns
            if any(s.start < since for s in task.stack):
                self._lose(task.stack, ns)
            if not elsewhere:
                self._state(task, "unknown", "", ns, {})
                task.wake = None
            task.since = max(task.since, since)
        self._lose(list(self._blocks.values()), ns)
        self._blocks.clear()

    def _lose(self, stack: list[Slice], ns: int) -> None:
        for lost in stack:
            self._end(lost, ns, END_CUT)
        stack.clear()

    # ---- events, each by its name

    def _switch(self, event: Event) -> None:
        hart, args = self.harts[event.hart], event.args
        task = hart.task
        state, preempted = args["state"], args["preempted"]
        if task is None:
            self._leave(hart, event.ns, "", "")
        elif preempted or state == "R":
            task.slept = ""
            self._leave(hart, event.ns, "runnable", "preempted" if preempted else "yielded")
        elif state in "ZX":
            task.dead = True
            for open_slice in task.stack:
                self._end(open_slice, event.ns)
                open_slice.about["ended by"] = "exit of the task"
            task.stack.clear()
            self._leave(hart, event.ns, "dead", "exited")
        else:
            kind = STATES.get(state, "sleeping")
            task.slept = str(args.get("wchan", "")) or "?"
            why = "stopped" if kind == "stopped" else f"slept on {task.slept}"
            self._leave(hart, event.ns, kind, why, more={"cannot be interrupted": "yes"} if state == "D" else None)
        self._run(hart, self._task(args["next"]) if args["next"] else None, event.ns)
        hart.leaving = event.tid

    def _wake(self, event: Event) -> None:
        task, source = self._task(event.args["tid"]), self._innermost(event)
        waker = self.harts[event.hart].task
        by = str(waker) if waker else f"hart {event.hart}"
        if source.kind in ("irq", "sys", "fault"):
            by = f"{source.name} on hart {event.hart}" if source.kind == "irq" else f"{by}, in {source.name.split('(')[0]}"
        self._instant(event, f"wakes {task}", {"on hart": event.args["hart"]})
        if task.wake is None or task.wake.kind == "fork" or task.wake.ns < task.switched_out:
            task.wake = Wake("wake", event.ns, source, by)
        if task.run:
            if task.run.start == event.ns and "woken by" not in task.run.about:  # the clock ticks once, both are in it
                self.flows.append(Flow("wake", event.ns, event.ns, source, task.state, task.slept))
                task.run.about["woken by"] = task.state.about["woken by"] = by
                task.wake = None
            return
        if task.state is None and not task.dead:
            self._state(task, "sleeping", "slept", task.since, {}, BEGIN_CUT)
        if task.state and task.state.kind != "runnable":
            task.state.about["woken by"] = by
            self._state(task, "runnable", f"runnable on hart {event.args['hart']}", event.ns, {"woken by": by})

    def _migrate(self, event: Event) -> None:
        args = event.args
        self._instant(event, f"{self._task(args['tid'])} moves to hart {args['to']}", {"from hart": args["from"]})

    def _fork(self, event: Event) -> None:
        args = event.args
        parent = self.harts[event.hart].task
        child = self._new_task(args["tid"], args["pid"], str(args["comm"]), event.ns)
        self._instant(event, f"forks {child}", {"child": args["tid"], "pid": args["pid"]})
        child.wake = Wake("fork", event.ns, self._innermost(event), f"{parent}, its parent")
        self._state(child, "runnable", "runnable, new", event.ns, {"child of": str(parent)})

    def _exec(self, event: Event) -> None:
        task = self.harts[event.hart].task
        if task:
            self._instant(event, f"becomes {event.args['comm']}", {"was": task.comm})
            task.comm = str(event.args["comm"])

    def _exit(self, event: Event) -> None:
        self._instant(event, f"exits, status {event.args['status']}", {"status": event.args["status"]})

    def _sys(self, event: Event) -> None:
        args, task = event.args, self.harts[event.hart].task
        if task is None:
            return self._other(event)
        self._lose(task.stack, event.ns)  # one call at a time: the end of what is open is missing
        task.since = event.ns
        call = self._open("sys", str(args["name"]), event, {})
        call.about = {"call": calls.arguments(args), "hart": event.hart}

    def _sys_end(self, event: Event) -> None:
        task, args = self.harts[event.hart].task, event.args
        if task is None:
            return self._other(event)
        done = self._close("sys", str(args["name"]), event, lambda s: s.name == args["name"],
                           {"result": calls.result(args["ret"])}, task.stack, ("calls", task.number), task.since)
        self._settle(done, event, task)

    def _fault(self, event: Event) -> None:
        args = event.args
        how = {"r": "read", "w": "write", "x": "execute"}.get(args["access"], args["access"])
        if self.harts[event.hart].task is None:
            return self._other(event)
        fault = self._open("fault", f"fault: {how}", event, {})
        fault.about = {"address": hex(args["addr"]), "access": how, "pc": hex(args["pc"]),
                       "from": "user" if args["user"] else "kernel", "hart": event.hart}

    def _fault_end(self, event: Event) -> None:
        task, args = self.harts[event.hart].task, event.args
        if task is None:
            return self._other(event)
        about = {"signal": self._signal_name(args["signal"])} if "signal" in args else {
            "result": calls.result(args.get("error", 0))}
        address = hex(args["addr"])
        done = self._close("fault", "fault", event, lambda s: s.about["address"] == address, {"address": address, **about},
                           task.stack, ("calls", task.number), task.since)
        self._settle(done, event, task)

    @staticmethod
    def _settle(done: Slice, event: Event, task: Task) -> None:
        """Say so when the task came back on another hart; and what is not in the trace began later than this."""
        if not done.cut & BEGIN_CUT and done.about["hart"] != event.hart:
            done.about["hart"] = f"{done.about['hart']}, at the end {event.hart}"
        if done.kind == "sys" and not task.stack:
            task.since = event.ns

    def _irq(self, event: Event) -> None:
        hart, args = self.harts[event.hart], event.args
        about = {k: v for k, v in args.items() if k != "kind"}
        hart.irqs.append(self._begin(("hart", hart.number), "irq", f"{args['kind']} interrupt", event.ns, None, about))

    def _irq_end(self, event: Event) -> None:
        hart, name = self.harts[event.hart], f"{event.args['kind']} interrupt"
        self._close("irq", name, event, lambda s: s.name == name, {}, hart.irqs, ("hart", hart.number), hart.quiet)
        hart.quiet = event.ns

    def _timer(self, event: Event) -> None:
        self._instant(event, f"timer: {event.args['fn']}")

    def _block(self, event: Event) -> None:
        args, task = event.args, self.harts[event.hart].task
        if args["id"] in self._blocks:
            self._end(self._blocks[args["id"]], event.ns, END_CUT)
        verb = "write" if args["write"] else "read"
        about = {"sectors": f"{args['sector']} to {args['sector'] + args['bytes'] // 512 - 1}", "bytes": args["bytes"],
                 "asked by": str(task) if task else "nobody", "sector": args["sector"]}
        self._blocks[args["id"]] = self._begin(("disk", str(args["dev"])), "block", f"{verb} {args['sector']}", event.ns, task,
                                               about)

    def _block_end(self, event: Event) -> None:
        args = event.args
        done = self._blocks.pop(args["id"], None)
        if done is None:
            disks = {s.track[1] for s in self.slices if s.kind == "block"}
            done = self._begin(("disk", disks.pop() if len(disks) == 1 else "?"), "block", "request", self.trace.on, None, {},
                               BEGIN_CUT)
        self._end(done, event.ns)
        done.about["result"] = calls.result(args["error"])

    def _lock(self, event: Event) -> None:
        args = event.args
        what = args.get("name") or args.get("caller") or hex(args["addr"])
        lock = self._open("lock", f"{args['kind']} lock {what}", event, {})
        lock.about = {"address": hex(args["addr"]), "hart": event.hart}

    def _lock_end(self, event: Event) -> None:
        track, stack, task = self._place(event)
        address = hex(event.args["addr"])
        self._close("lock", "lock", event, lambda s: s.about["address"] == address, {"address": address}, stack, track,
                    task.since if task and track[0] == "calls" else self.harts[event.hart].run.start)

    def _signal_name(self, nr: int) -> str:
        return f"SIG{SIGNALS[nr]}" if nr in SIGNALS else f"signal {nr}"

    def _signal(self, event: Event) -> None:
        self._instant(event, f"{self._signal_name(event.args['nr'])} to {self._task(event.args['tid'])}")

    def _deliver(self, event: Event) -> None:
        self._instant(event, f"gets {self._signal_name(event.args['nr'])}")

    def _text(self, event: Event) -> None:
        self._instant(event, str(event.args["text"]))

    def _other(self, event: Event) -> None:
        """An event of a kernel newer than this tool, or one that makes no sense where it is: shown as it came."""
        self._instant(event, event.name, {k: v for k, v in event.args.items() if k != "hart"})

    # ---- the end

    def _finish(self) -> None:
        for open_slice in self.slices:
            if open_slice.end < 0:
                self._end(open_slice, self.trace.off, END_CUT)
        self._rows()
        for open_slice in self.slices:
            if open_slice.end < open_slice.start:
                raise TraceError(f"{open_slice.name} ends before it begins")

    def _rows(self) -> None:
        """How deep each slice lies inside others of its track; requests of a disk take the first free row."""
        open_ends: dict[tuple, list[int]] = {}
        for s in sorted(self.slices, key=lambda s: (s.start, -s.end, s.number)):
            ends = open_ends.setdefault(s.track, [])
            if s.track[0] == "disk":
                free = next((row for row, end in enumerate(ends) if end <= s.start), len(ends))
                ends[free:free + 1] = [s.end]
                s.row = free
                continue
            while ends and (ends[-1] <= s.start and not (s.start == s.end == ends[-1])):
                ends.pop()
            s.row = len(ends)
            ends.append(s.end)

    def find(self, kind: str, tid: int | None = None, name: str | None = None) -> list[Slice]:
        return [s for s in self.slices if s.kind == kind and (name is None or s.name == name) and
                (tid is None or (s.task >= 0 and self.tasks[s.task].tid == tid))]
