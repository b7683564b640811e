"""Tasks: who there is, what they wait for, what they do."""
import gdb

from .kernel import (at, command, container_of, entries, enum_names, function_name, harts, has_field, links, macros, number,
                     per_hart, privilege, register, struct, SUPERVISOR, text, this_hart, thread_pointer, variable)

REGISTERS = ["s%d" % n for n in range(12)]


def all_tasks():
    """Every task; of the idle ones only the boot hart's is on the kernel's list."""
    seen = set()
    for task in entries(variable("all_tasks"), "task", "all_link"):
        seen.add(int(task.address))
        yield task
    for hart in range(harts()):
        idle = per_hart("runq", hart)["idle"]
        if int(idle) and int(idle) not in seen:
            yield idle.dereference()


def pid_of(task):
    return int(task["pid"]["nr"]) if int(task["pid"]) else 0


def tgid_of(task):
    return int(task["process"]["pid"]["nr"]) if int(task["process"]) else 0


def name_of(task):
    return task["name"].string(errors="replace")


def label(pointer):
    """A pointer to a task as "name (pid 7)"."""
    if not int(pointer):
        return "nobody"
    task = at(pointer, "task")
    return "%s (pid %d)" % (name_of(task), pid_of(task))


def state_of(task):
    state = int(task["state"])
    if state == 0:
        return "on hart" if task["on_hart"] else "ready"
    names = [name[len("TASK_"):].lower() for bit, name in enum_names("task_state").items() if state & bit]
    return "|".join(names) or "state %#x" % state


def find_task(what):
    """A task by its pid, or by an expression that gives its address."""
    value = number(what, "a pid or the address of a task")
    for task in all_tasks():
        if value == int(task.address) or (value == pid_of(task) and value):
            return task
    raise gdb.GdbError("no task has pid or address %s; `ps` lists them" % what)


def current_task():
    """What the selected hart runs."""
    if not harts():
        raise gdb.GdbError("the kernel has not started yet: `boot` goes to its first function")
    pointer = thread_pointer() or int(per_hart("runq", this_hart())["running"])
    if not pointer:
        raise gdb.GdbError("this hart runs no task yet")
    return at(pointer, "task")


def task_or_current(what):
    return find_task(what) if what else current_task()


def sleeps(task):
    return int(task["state"]) != 0 and int(task["wchan"]) != 0


@command("ps")
def ps():
    """List all tasks: numbers, state, hart, the address of the struct, and what a sleeping one waits for."""
    print("  PID  TGID  STATE            HART  TASK                NAME             WAITS FOR")
    for task in all_tasks():
        waits = "%s  %#x" % (text(task["wmesg"]), int(task["wchan"])) if sleeps(task) else ""
        print("%5d %5d  %-15s %5d  %#x  %-16s %s" % (pid_of(task), tgid_of(task), state_of(task), int(task["hart"]),
                                                   int(task.address), name_of(task), waits))


@command("task [PID]")
def task(pid=None):
    """Show one task, by pid or address; without argument the one that the selected hart runs."""
    t = task_or_current(pid)
    p = t["process"]
    flags = [name[len("TASK_"):].lower() for name, bit in macros("proc/proc.h", "TASK_").items() if int(t["flags"]) & bit]
    print("%s, task %#x, pid %d, tgid %d" % (name_of(t), int(t.address), pid_of(t), tgid_of(t)))
    print("  state     %s, hart %d, affinity %#x, flags %s" % (state_of(t), int(t["hart"]), int(t["affinity"]),
                                                              " ".join(flags) or "-"))
    if sleeps(t):
        print("  waits     %s, channel %#x" % (text(t["wmesg"]), int(t["wchan"])))
    if int(p):
        parent = p["parent"]["leader"] if int(p["parent"]) else 0
        print("  process   %#x, %d threads, parent %s, group %d, session %d" %
              (int(p), int(p["nr_threads"]), label(parent), int(p["pgrp"]["nr"]) if int(p["pgrp"]) else 0,
               int(p["session"]["nr"]) if int(p["session"]) else 0))
        print("  signals   pending %#x, of the process %#x, blocked %#x" %
              (int(t["pending"]["set"]), int(p["pending"]["set"]), int(t["blocked"])))
    print("  memory    mm %#x, runs on that of mm %#x" % (int(t["mm"]), int(t["active_mm"])))
    print("  files     %#x   cwd and root %#x   credentials %#x" % (int(t["files"]), int(t["fs"]), int(t["cred"])))
    print("  time      %d ns on a hart, user %d, system %d; switches %d voluntary, %d not" %
          (int(t["se"]["exec_sum"]), int(t["se"]["exec_sum"] - t["stime"]), int(t["stime"]), int(t["nvcsw"]), int(t["nivcsw"])))
    print("  kernel    stack %#x to %#x, preempt count %d, work %#x" %
          (int(t["kernel_stack"]), int(t["thread"]["kernel_sp"]), int(t["thread"]["preempt_count"]), int(t["thread"]["work"])))
    if int(t["mm"]):
        frame = trapframe(t)
        print("  user      pc %#x, sp %#x, ra %#x, a7 %d (registers at its last trap)" %
              (int(frame["pc"]), int(frame["sp"]), int(frame["ra"]), int(frame["a7"])))


def trapframe(t):
    """The registers of a task's user code at its last trap: at the top of its kernel stack."""
    return at(int(t["thread"]["kernel_sp"]) - struct("trapframe").sizeof, "trapframe")


@command("bt-task PID")
def bt_task(pid):
    """Backtrace of a task that is not running, from the registers that its last switch saved.

    The selected hart lends its registers for the time of the command and has them back afterwards.
    """
    t = find_task(pid)
    if t["on_hart"]:
        raise gdb.GdbError("%s runs on hart %d: select that thread (`info threads`) and use `backtrace`" %
                           (label(t.address), int(t["hart"])))
    context = t["thread"]["context"]
    values = {"pc": int(context["ra"]), "ra": int(context["ra"]), "sp": int(context["sp"]), "tp": int(t.address)}
    values.update({name: int(context["s"][n]) for n, name in enumerate(REGISTERS)})
    print("%s, %s%s:" % (label(t.address), state_of(t), ", " + text(t["wmesg"]) if sleeps(t) else ""))
    gdb.execute("frame 0", to_string=True)
    saved = {name: register(name) for name in values}
    try:
        borrow(values)
        gdb.execute("backtrace")
    finally:
        gdb.execute("frame 0", to_string=True)
        borrow(saved)


def borrow(values):
    for name, value in values.items():
        gdb.execute("set $%s = %#x" % (name, value), to_string=True)


@command("runq")
def runq():
    """Show the run queue of each hart: who runs, and who waits in which order."""
    for hart in range(harts()):
        rq = per_hart("runq", hart)
        print("hart %d: %s runs, %d queued, %d switches%s" % (hart, label(rq["running"]), int(rq["nr_running"]),
                                                           int(rq["switches"]), ", locked" if rq["lock"]["lock"]["held"] else ""))
        shown = {int(rq["running"])}
        order = []
        if has_field(rq.type, "rr"):
            order = [container_of(link, "task", "se.link") for link in links(rq["rr"]["queue"])]
        order += [t for t in all_tasks() if t["se"]["queued"] and int(t["hart"]) == hart]
        for t in order:
            if int(t.address) not in shown:
                shown.add(int(t.address))
                print("    %-22s class %s, nice %d, %d ns so far" % (label(t.address), text(t["se"]["class"]["name"]),
                                                                 int(t["se"]["nice"]), int(t["se"]["exec_sum"])))


@command("waiters [CHAN]")
def waiters(chan=None):
    """List the tasks that sleep on a channel: the address of a wait queue, or xv6's sleep() channel.

    CHAN is an expression (0xffffffc0..., `&flush_wait`). A struct waitq's own list is shown too: pollers are only there.
    Without argument, all sleepers by channel.
    """
    by_channel = {}
    for t in all_tasks():
        if sleeps(t):
            by_channel.setdefault(int(t["wchan"]), []).append(t)
    if chan is None:
        for address, sleepers in sorted(by_channel.items()):
            print("%#x  %s" % (address, gdb.format_address(address).partition(" ")[2] if hasattr(gdb, "format_address") else ""))
            show_sleepers(sleepers)
        return
    address = number(chan, "an address")
    sleepers = by_channel.get(address, [])
    show_sleepers(sleepers)
    others = queue_waiters(chan, address)
    for waiter in others:
        if all(int(waiter["task"]) != int(t.address) for t in sleepers):
            print("    %-22s on the queue, woken through %s" % (label(waiter["task"]), function_name(waiter["fn"])))
            sleepers = sleepers + [waiter]
    if not sleepers:
        print("nobody waits at %#x" % address)


def show_sleepers(sleepers):
    for t in sleepers:
        print("    %-22s %s, %s" % (label(t.address), text(t["wmesg"]), state_of(t)))


def queue_waiters(expression, address):
    """What is on the wait queue, when the expression's type says that it is one."""
    type_ = gdb.parse_and_eval(expression).type.strip_typedefs()
    if type_.code == gdb.TYPE_CODE_PTR:
        type_ = type_.target().strip_typedefs()
    if type_.tag != "waitq":
        return []
    return list(entries(at(address, "waitq")["waiters"], "waiter", "link"))


class Number(gdb.Function):
    """$pid(): the process id of what the selected hart runs. For conditions: break sys_write if $pid() == 3"""

    def __init__(self):
        super().__init__("pid")

    def invoke(self):
        with privilege(SUPERVISOR):
            return tgid_of(current_task())


class Name(gdb.Function):
    """$program(): the name of what the selected hart runs: break sys_write if $_streq($program(), "sh")"""

    def __init__(self):
        super().__init__("program")

    def invoke(self):
        with privilege(SUPERVISOR):
            return name_of(current_task())


Number()
Name()
