"""The trace: the last events that each hart recorded (kernel/trace/)."""
import re
import struct as packing

import gdb

from .kernel import command, function_name, harts, number, per_hart, text, variable

RECORD = packing.Struct("<QIHH6Q")  # struct trace_record
NSEC = 1000000000


def quoted(data):
    """Bytes up to their NUL in double quotes, as trace_quote() of the kernel writes them."""
    escapes = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n"}
    return '"%s"' % "".join(escapes.get(c) or (chr(c) if 32 <= c < 127 else "\\x%02x" % c) for c in data.split(b"\0")[0])


def literal(address):
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string("latin-1").encode("latin-1")


def function(address, offset):
    pointer = gdb.Value(address).cast(gdb.lookup_type("void").pointer())
    match = re.search(r"<([^>+]+)(?:\+(\d+))?", str(pointer))
    name, distance = (match.group(1), int(match.group(2) or 0)) if match else ("?", 0)
    return '"%s+0x%x"' % (name, distance) if offset else '"%s"' % name


def call_name(call):
    table = variable("system_calls")
    pointer = table[call] if call <= table.type.range()[1] else 0
    return function_name(pointer)[len("sys_"):] if int(pointer) else "sys_%d" % call


def field(letter, arguments, call):
    """The text of one %letter of trace_kinds; takes what it uses from the arguments."""
    if letter in "SN":
        return str(call) if letter == "S" else call_name(call)
    if letter in "nt":
        words = [arguments.pop(0) for _ in range(2 if letter == "n" else 6)]
        return quoted(packing.pack("<%dQ" % len(words), *words))
    value = arguments.pop(0)
    if letter in "sq":
        return literal(value).decode("latin-1") if letter == "s" else quoted(literal(value))
    if letter in "fy":
        return function(value, letter == "y")
    return {"d": lambda: "%d" % (value - (value >> 63 << 64)), "x": lambda: "%#x" % value, "c": lambda: chr(value)}[letter]()


def line(hart, record):
    """A record as /proc/trace/events has it."""
    time, tid, event, call, *arguments = RECORD.unpack(record)
    vvar = variable("vvar")
    ns = (time * int(vvar["ns_per_tick_32"]) >> 32) - int(vvar["boot_ns"])
    kind = variable("trace_kinds")[event]
    words = ""
    for optional, letter, between in re.findall(r"(\{[^}]*\})|%(\w)|([^%{]+)", text(kind["arguments"])):
        if optional and not arguments[0]:
            arguments.pop(0)
        elif optional:
            name, letter = optional[1:-1].split("%")
            words += name + field(letter, arguments, call)
        else:
            words += field(letter, arguments, call) if letter else between
    return "%d.%09d %d %d %s %s" % (ns // NSEC, ns % NSEC, hart, tid, text(kind["name"]), words)


def records(ring, count):
    """The last `count` records of a ring, oldest first."""
    memory, size, head = int(ring["records"]), int(ring["size"]), int(ring["head"])
    first = max(int(ring["start"]), head - size + 1, head - count)
    for at in range(first, head):
        yield gdb.selected_inferior().read_memory(memory + at % size * RECORD.size, RECORD.size).tobytes()


@command("trace [HART] [N]")
def trace(hart="all", count="32"):
    """Print the last N events (32) that a hart, or each hart, recorded. echo 1 > /proc/trace/on begins recording."""
    chosen = range(harts()) if hart == "all" else [number(hart, "a hart")]
    count = number(count, "a number of events")
    for h in chosen:
        if h not in range(harts()):
            raise gdb.GdbError("there is no hart %d" % h)
        ring = per_hart("trace_ring", h)
        found = [line(h, record) for record in records(ring, count)] if int(ring["records"]) else []
        print("hart %d: %s" % (h, "" if found else "nothing was recorded; echo 1 > /proc/trace/on"))
        for each in found:
            print("    " + each)
