"""User programs: their symbols, breakpoints that belong to one program, and the way into and out of the kernel.

A breakpoint of gdb's is an address in every address space. QEMU keeps it through switches of the page table; stop()
below lets the machine go on at once when another program came by.
"""
import difflib
import os
import re
import struct as binary

import gdb

from .files import name_of as dentry_name
from .kernel import (SUPERVISOR, TOP, USER, at, command, kernel_file, number, peek, privilege, register, struct,
                     thread_pointer)
from .memory import mm_of, vmas_of
from .tasks import all_tasks, current_task, find_task, label, pid_of, trapframe

NAME_MAX = 15    # characters of a program's name that the kernel keeps
ET_EXEC, ET_DYN, PT_LOAD = 2, 3, 1  # of the ELF-64 specification
AT_ENTRY = 9
ECALL_SIZE = 4
CAUSE_ECALL_U = 8  # of the privileged architecture
loaded = {}      # path of a program: what was added to its addresses


# ---- symbols

def program_file(name):
    """The file with a program's symbols: a path, or the name of a program of user/."""
    for path in (name, os.path.join(TOP, "build/user", name)):
        if os.path.isfile(path):
            return os.path.abspath(path)
    ours = os.path.join(TOP, "build/user")
    near = difflib.get_close_matches(name, os.listdir(ours)) if os.path.isdir(ours) else []
    raise gdb.GdbError("there is no file %s, and no build/user/%s%s" % (name, name, "; near: " + ", ".join(near) if near else ""))


def elf_place(path):
    """(type, page where the first segment is linked) of an ELF file; the layout is that of the ELF-64 specification."""
    with open(path, "rb") as f:
        head = f.read(64)
        if head[:5] != b"\x7fELF\x02":
            raise gdb.GdbError("%s is not a 64-bit ELF file" % path)
        kind, = binary.unpack_from("<H", head, 16)
        table, = binary.unpack_from("<Q", head, 32)
        size, count = binary.unpack_from("<HH", head, 54)
        for n in range(count):
            f.seek(table + n * size)
            segment = f.read(size)
            if binary.unpack_from("<I", segment)[0] == PT_LOAD:
                offset, address = binary.unpack_from("<QQ", segment, 8)
                return kind, address - offset
    raise gdb.GdbError("%s has nothing to load" % path)


def mapped_at(task, file_name):
    """Where page 0 of the file of that name is mapped in a task's memory, or None."""
    if not int(task["mm"]):
        return None
    for vma in vmas_of(task["mm"]):
        if int(vma["file"]) and int(vma["pgoff"]) == 0:
            dentry = at(vma["file"], "file")["path"]["dentry"]
            if int(dentry) and dentry_name(dentry) == file_name:
                return int(vma["start"])
    return None


def place_in_memory(path, pid):
    """(task, address of page 0) of a process that has this file mapped."""
    name = os.path.basename(path)
    tasks = [find_task(pid)] if pid else list(all_tasks())
    for task in tasks:
        start = mapped_at(task, name)
        if start is not None:
            return task, start
    raise gdb.GdbError("%s is position-independent, and %s has it mapped. `user-start %s` waits for a process that does" % (
        name, "pid %s is not one that" % pid if pid else "no process", name))


def forget(path):
    loaded.pop(path, None)
    try:
        gdb.execute("remove-symbol-file %s" % path, to_string=True)
    except gdb.error:
        pass  # somebody removed it by hand


def load(path, pid=None):
    kind, linked = elf_place(path)
    where, offset = "at its link address", 0
    if kind == ET_DYN:
        task, start = place_in_memory(path, pid)
        offset = start - linked
        where = "at %#x, as in %s" % (start, label(task.address))
    elif kind != ET_EXEC:
        raise gdb.GdbError("%s is not a program" % path)
    for other in [p for p, o in loaded.items() if p == path or (o == 0 and offset == 0)]:
        forget(other)  # two programs at one address would share their symbols
    gdb.execute("add-symbol-file %s -o %#x" % (path, offset), to_string=True)
    loaded[path] = offset
    print("symbols of %s, %s" % (os.path.relpath(path) if path.startswith(TOP) else path, where))


@command("user PROGRAM [PID]")
def user(program, pid=None):
    """Load the symbols of a user program, in addition to the kernel's, at the place where it is.

    PROGRAM is a program of user/ or the path of an ELF file on this machine. A static program is at its link address. A
    position-independent one, the dynamic loader or a library is found in the VMAs of a process that has a file of that
    name mapped: PID, or the first. Symbols of another static program are forgotten, for it has the same addresses.
    """
    load(program_file(program), pid)


def objfile_of(path):
    for objfile in gdb.objfiles():
        if objfile.filename and os.path.realpath(objfile.filename) == os.path.realpath(path):
            return objfile
    return None


# ---- breakpoints

class Only:
    """Who a breakpoint is for: one process by number, or all of one program by name."""

    def __init__(self, what):
        self.pid = int(what) if re.fullmatch(r"\d+", what) else None
        self.name = os.path.basename(what)[:NAME_MAX]

    def runs(self):
        """Whether it is what the hart that stopped was running. Called in stop(): only reads, and only physical memory."""
        pointer = thread_pointer()
        if not pointer:
            return False
        task = peek(pointer, struct("task"))
        if self.pid is None:
            return task["name"].string(errors="replace") == self.name
        if not int(task["process"]):
            return False
        process = peek(task["process"], struct("process"))
        return int(peek(process["pid"], struct("pid"))["nr"]) == self.pid

    def __str__(self):
        return self.name if self.pid is None else "pid %d" % self.pid


class ProgramBreakpoint(gdb.Breakpoint):
    def __init__(self, where, only, **more):
        self.only = only
        super().__init__(where, **more)

    def stop(self):
        return self.only.runs()


def user_address(path, location):
    """Where LOCATION (a function, FILE:LINE, *ADDRESS) is in that program, as a place for gdb.Breakpoint."""
    if location.startswith("*"):
        return "*%#x" % number(location[1:], "an address")
    objfile = objfile_of(path)
    symbol = objfile.lookup_global_symbol(location) or objfile.lookup_static_symbol(location)
    if symbol and symbol.is_valid() and symbol.type.code == gdb.TYPE_CODE_FUNC:
        return "*%#x" % int(symbol.value().address)
    try:
        places = gdb.decode_line(location)[1] or []
    except gdb.error as error:
        raise gdb.GdbError(str(error))
    for place in places:
        if place.symtab and place.symtab.objfile.filename == objfile.filename:
            return "*%#x" % place.pc
    raise gdb.GdbError("%s has no %s" % (os.path.basename(path), location))


@command("user-break PROGRAM LOCATION [PID]")
def user_break(program, location, pid=None):
    """Set a breakpoint in a user program that does not stop other programs which have something at that address.

    LOCATION is a function, FILE:LINE or *ADDRESS of PROGRAM, whose symbols are loaded first. With PID only that process
    stops; else every process that runs PROGRAM. It may be set before the program is started, and holds through switches.
    """
    path = program_file(program)
    if path not in loaded or objfile_of(path) is None:
        load(path, pid)
    only = Only(str(pid_of(find_task(pid))) if pid else program)
    where = user_address(path, location)
    point = ProgramBreakpoint(where, only)
    print("stops %s at %s only" % (only, location) + " (breakpoint %d)" % point.number)


@command("syscall-break NAME [PROGRAM|PID]")
def syscall_break(name, who=None):
    """Set a breakpoint on a system call, for all, for one program, or for one process.

    NAME is as in kernel/include/abi/syscalls.def. It stops at the first instruction of the kernel's sys_NAME, whose
    argument points to the six argument registers: `print/x *a@6`, or `to-user` to see the result in $a0.
    """
    symbol = kernel_file().lookup_global_symbol("sys_" + name)
    if symbol is None:
        near = difflib.get_close_matches(name, system_calls())
        raise gdb.GdbError("there is no system call %s%s" % (name, "; near: " + ", ".join(near) if near else ""))
    where = "*%#x" % int(symbol.value().address)
    if who:
        ProgramBreakpoint(where, Only(who))
    else:
        gdb.Breakpoint(where)


def system_calls():
    with open(os.path.join(TOP, "kernel/include/abi/syscalls.def")) as f:
        return re.findall(r"(?m)^SYSCALL\(\d+, (\w+)", f.read())


# ---- from user code to the kernel and back

class TaskBreakpoint(gdb.Breakpoint):
    """Stops one task, and remembers that it did. mark says who that is: tp or sscratch, or None for either.

    registers are values that must be there too: by name.
    """

    def __init__(self, address, pointer, mark=None, **registers):
        super().__init__("*%#x" % address, internal=True)
        self.silent, self.pointer, self.mark, self.registers, self.reached = True, pointer, mark, registers, False

    def stop(self):
        self.reached = ((register(self.mark) if self.mark else thread_pointer()) == self.pointer
                        and all(register(name) == value for name, value in self.registers.items()))
        return self.reached


def run_to(addresses, pointer, mark=None, **registers):
    """Go on until that task comes to one of the addresses, and say so if it did not."""
    points = [TaskBreakpoint(address, pointer, mark, **registers) for address in addresses]
    end = TaskBreakpoint(function_address("sched_exit"), pointer)
    try:
        gdb.execute("continue")
        if end.reached:
            print("the task has ended")
        elif not any(point.reached for point in points):
            print("something else stopped the machine first")
        return any(point.reached for point in points)
    finally:
        for point in points + [end]:
            point.delete()


def function_address(name):
    return int(gdb.parse_and_eval("(unsigned long)&" + name))


def running():
    with privilege(SUPERVISOR):
        return int(current_task().address)


def return_addresses(pointer):
    """Where the task may go on in user code. A system call goes on behind its ecall, or at it when it is restarted.

    While sscratch names the task the trap is just beginning or ending: then sepc says it, else the saved registers do.
    """
    if register("sscratch"):
        pc = register("sepc")
    else:
        with privilege(SUPERVISOR):
            pc = int(trapframe(at(pointer, "task"))["pc"])
    return [pc, pc + ECALL_SIZE]


@command("to-user", sees_kernel=False)
def to_user():
    """Run until the current task goes on in user code, over sret: the next instruction there is not yet done.

    If a signal handler is called first, this is after the handler.
    """
    if register("priv") == USER:
        raise gdb.GdbError("this hart is in user code")
    pointer = running()
    run_to(return_addresses(pointer), pointer, "sscratch")
    gdb.execute("frame")


@command("to-kernel", sees_kernel=False)
def to_kernel():
    """Run until the current task makes its next system call: over ecall, to syscall_enter.

    The other tasks' calls stop the machine for a moment too, so this is slow when they make many.
    """
    run_to([function_address("syscall_enter")], running(), "tp")
    gdb.execute("frame")


@command("step-through", sees_kernel=False)
def step_through():
    """Do one instruction, also an ecall (into the kernel's trap_entry) or an sret (to where it leads).

    gdb's own stepi looks for the next instruction in memory: it does a whole system call as one step, and loses an sret.
    An interrupt that is due comes first, and through trap_entry too: scause and sepc tell the ecall's trap from it.
    """
    instruction = gdb.execute("x/i $pc", to_string=True)
    if "ecall" in instruction:
        target, registers = function_address("trap_entry"), {"scause": CAUSE_ECALL_U, "sepc": register("pc")}
    elif "sret" in instruction:
        target, registers = register("sepc"), {}
    else:
        gdb.execute("stepi")
        return
    locking = gdb.parameter("scheduler-locking")
    gdb.execute("set scheduler-locking on")
    try:
        run_to([target], running(), **registers)
    finally:
        gdb.execute("set scheduler-locking %s" % locking)
    gdb.execute("frame")


class ExecBreakpoint(gdb.Breakpoint):
    """Stops when a task takes the name of a program: exec is past the point of no return."""

    def __init__(self, name):
        super().__init__("*%#x" % function_address("task_set_name"), internal=True)
        self.silent, self.name, self.pointer = True, name, 0

    def stop(self):
        given = gdb.parse_and_eval("(char *)$a1").string(errors="replace")
        if given[:NAME_MAX] == self.name and register("a0") == register("tp"):
            self.pointer = register("tp")
        return self.pointer != 0


def entry_of(task):
    """The program's first address, from the auxiliary vector that exec made for it."""
    auxv = mm_of(task)["auxv"]
    first, last = auxv.type.range()
    for n in range(first, last, 2):
        if int(auxv[n]) == AT_ENTRY:
            return int(auxv[n + 1])
    raise gdb.GdbError("%s has no entry point" % label(task.address))


@command("user-start PROGRAM", sees_kernel=False)
def user_start(program):
    """Run until a process executes PROGRAM, load its symbols where it is, and stop at its entry point.

    Start the program at the machine's shell; PROGRAM is as for `user`. The dynamic loader of a dynamic program has
    done its work by then, so `user` finds the libraries.
    """
    path = program_file(program)
    point = ExecBreakpoint(os.path.basename(path)[:NAME_MAX])
    try:
        gdb.execute("continue")
        pointer = point.pointer
    finally:
        point.delete()
    if not pointer:
        raise gdb.GdbError("something else stopped the machine first")
    with privilege(SUPERVISOR):
        task = at(pointer, "task")
        entry = entry_of(task)
        load(path, str(pid_of(task)))
    if run_to([entry], pointer, "sscratch"):
        gdb.execute("frame")


# ---- with other eyes

@command("in-kernel COMMAND", sees_kernel=False, raw=True)
def in_kernel(what):
    """Do a command of gdb's with the kernel's memory in view, whatever mode the hart is in: in-kernel print init_fs"""
    see_as(SUPERVISOR, what)


@command("in-user COMMAND", sees_kernel=False, raw=True)
def in_user(what):
    """Do a command of gdb's with the user memory of this hart's address space in view: in-user x/s 0x10000"""
    see_as(USER, what)


def see_as(level, what):
    if not what:
        raise gdb.GdbError("which command?")
    with privilege(level):
        gdb.execute(what)
