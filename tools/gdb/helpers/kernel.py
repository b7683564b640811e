"""Reading the kernel: commands, symbols, types, lists, trees, harts, and whose eyes QEMU reads memory with.

QEMU's gdb stub translates an address as the selected hart would at this moment. A hart in user mode does not see the
kernel, one in the firmware sees physical memory, one in the kernel does not see user pages. The stub lets the
debugger change the register `priv`, so `privilege(SUPERVISOR)` around a command makes all of them see the kernel. Where no
register may be written, in a breakpoint's stop(), peek() asks QEMU for physical memory instead.

Structures are found through symbols and types; numbers that exist only as macros are read from the headers.
"""
import contextlib
import inspect
import os
import re

import gdb

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
USER, SUPERVISOR = 0, 1
LONGEST = 1000000  # entries of a list before it counts as broken
PAGE_SHIFT = 12

defined = []  # (usage, first line of the help) of each command


# ---- commands

def command(usage, sees_kernel=True, raw=False):
    """Decorator: a gdb command; the function's arguments are the command's words, its docstring is the help.

    sees_kernel=False is for commands that let the machine run. With raw the words come as one, as they were typed.
    """
    def define(function):
        def invoke(self, argument, from_tty):
            self.dont_repeat()
            words = [argument] if raw else gdb.string_to_argv(argument)
            try:
                inspect.signature(function).bind(*words)
            except TypeError:
                raise gdb.GdbError("usage: " + usage)
            need_machine()
            try:
                with privilege(SUPERVISOR) if sees_kernel else contextlib.nullcontext():
                    function(*words)
            except gdb.MemoryError as error:
                raise gdb.GdbError("%s: the kernel's memory cannot be read (%s). Has it turned paging on? `boot` goes there."
                                   % (usage.split()[0], error))

        name = usage.split()[0]
        text = "%s\n%s" % (usage, inspect.getdoc(function))
        type(name, (gdb.Command,), {"__doc__": text, "invoke": invoke})(name, gdb.COMMAND_USER)
        defined.append((usage, inspect.getdoc(function).split("\n")[0]))
        return function

    return define


def need_machine():
    thread = gdb.selected_thread()
    if thread is None:
        raise gdb.GdbError("no machine: `make qemu-gdb` in another window, then `target remote` (see .gdbinit)")
    if thread.is_running():
        raise gdb.GdbError("the machine runs: stop it first (^C)")


def number(text, what):
    """An expression of gdb's as an integer."""
    try:
        value = gdb.parse_and_eval(text)
        return int(value if value.type.strip_typedefs().code != gdb.TYPE_CODE_STRUCT else value.address)
    except (gdb.error, RuntimeError, TypeError) as error:
        raise gdb.GdbError("%s is not %s: %s" % (text, what, error))


@contextlib.contextmanager
def privilege(level):
    """Have QEMU read memory as the selected hart at this privilege would."""
    thread = gdb.selected_thread()
    was = register("priv")
    if was != level:
        gdb.execute("set $priv = %d" % level, to_string=True)
    try:
        yield
    finally:
        if was != level:
            thread.switch()
            gdb.execute("set $priv = %d" % was, to_string=True)


def register(name):
    return int(gdb.parse_and_eval("(unsigned long)$" + name))


# ---- symbols and types

def kernel_file():
    """The kernel's symbols, among those of user programs."""
    for objfile in gdb.objfiles():
        if objfile.lookup_global_symbol("all_tasks"):
            return objfile
    raise gdb.GdbError("the kernel's symbols are not loaded: `symbol-file kernel/kernel`")


def find_symbol(name):
    objfile = kernel_file()
    return objfile.lookup_global_symbol(name) or objfile.lookup_static_symbol(name)


def variable(name):
    symbol = find_symbol(name)
    if symbol is None:
        raise gdb.GdbError("this kernel has no `%s`" % name)
    return symbol.value()


def struct(name):
    """A type of the kernel, whatever a user program calls by that name."""
    return gdb.lookup_type("struct " + name, find_symbol("all_tasks").symtab.static_block())


def has_field(type_, name):
    return any(field.name == name for field in type_.strip_typedefs().fields())


def at(address, type_name):
    return gdb.Value(int(address)).cast(struct(type_name).pointer()).dereference()


def enum_names(name):
    """{value: name} of an enum."""
    return {field.enumval: field.name for field in gdb.lookup_type("enum " + name).fields()}


def macros(header, prefix):
    """{name: value} of the numeric macros with that prefix in a header of kernel/."""
    found = {}
    with open(os.path.join(TOP, "kernel", header)) as text:
        for line in text:
            match = re.match(r"#define (%s\w+) \(?(0x[0-9a-f]+|\d+)u?l*(?: << (\d+))?\)?(?:\s|$)" % prefix, line)
            if match:
                digits = match.group(2)
                base = 8 if re.fullmatch(r"0[0-7]+", digits) else 0
                found[match.group(1)] = int(digits, base) << int(match.group(3) or 0)
    return found


def bits(value, names, strip=""):
    """Names of the bits that are set, joined by commas."""
    return ",".join(name[len(strip):].lower() for name, bit in names.items() if bit and value & bit) or "-"


def member(structure, path):
    for name in path.split("."):
        structure = structure[name]
    return structure


def container_of(pointer, type_name, path):
    nothing = gdb.Value(0).cast(struct(type_name).pointer()).dereference()
    return at(int(pointer) - int(member(nothing, path).address), type_name)


def function_name(pointer):
    """The symbol that a pointer points to."""
    match = re.search(r"<([^>+]+)", str(pointer))
    return match.group(1) if match else "?"


def text(pointer):
    """A C string of the kernel's; "" for NULL."""
    return pointer.string(errors="replace") if int(pointer) else ""


# ---- lists and trees

def links(head):
    """The links of a circular list, without its head."""
    first, link = int(head.address), head["next"]
    for _ in range(LONGEST):
        if int(link) == first:
            return
        if int(link) == 0:
            break
        yield link
        link = link["next"]
    raise gdb.GdbError("the list at %#x is broken, or it is just being changed" % first)


def entries(head, type_name, path):
    """The structures on a struct list, by the path of the link inside them."""
    for link in links(head):
        yield container_of(link, type_name, path)


def tree(root, type_name, path):
    """The structures of a struct rb_root in order."""
    above, node = [], root["node"]
    while above or int(node):
        while int(node):
            above.append(node)
            node = node["left"]
        node = above.pop()
        yield container_of(node, type_name, path)
        node = node["right"]


# ---- harts

def harts():
    return int(variable("nr_harts"))


def per_hart(name, hart):
    copy = variable(name)
    return gdb.Value(int(copy.address) + int(variable("hart_offset")[hart])).cast(copy.type.pointer()).dereference()


def this_hart():
    """The kernel's number of the selected hart."""
    firmware = register("mhartid")
    for hart in range(harts()):
        if int(variable("hart_hartid")[hart]) == firmware:
            return hart
    raise gdb.GdbError("the kernel has not started this hart")


def direct_base():
    return int(gdb.parse_and_eval("(unsigned long)&DIRECT_BASE"))


def thread_pointer():
    """Address of the task that the selected hart runs, from registers alone; 0 in the firmware or before there is one.

    sscratch holds it in user code and in the first and last instructions of a trap, tp in between.
    """
    if register("priv") > SUPERVISOR:
        return 0
    base, tp = direct_base(), register("tp")
    if register("sscratch"):
        return register("sscratch")
    return tp if tp >= base else 0


def peek(address, type_):
    """A copy of a kernel object, from whatever mode; for stop(), where no register may be written."""
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        data = gdb.selected_inferior().read_memory(int(address) - direct_base(), type_.sizeof)
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)
    return gdb.Value(bytes(data), type_)


# ---- the list of commands

class List(gdb.Command):
    """xv39: list xv39's own commands; `help NAME` tells more of each."""

    def __init__(self):
        super().__init__("xv39", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        for usage, line in defined:
            print("  %-32s %s" % (usage, line))


List()
