"""Locks: who holds what. Without CHECK=locks a spinning lock does not know its owner; sleeping locks always do."""
import re

import gdb

from .kernel import command, container_of, entries, find_symbol, harts, links, per_hart, text, variable
from .tasks import all_tasks, label, sleeps


def globals_of(type_name):
    """(name, value) of the kernel's variables of that type, arrays left out."""
    listing = gdb.execute("info variables -q -t ^struct\\ %s$" % type_name, to_string=True)
    source = None
    for line in listing.splitlines():
        if line.startswith("File "):
            source = line[len("File "):].rstrip(":")
        match = re.search(r"struct %s (\w+);$" % type_name, line)
        if match and source and source.startswith("kernel/"):
            yield match.group(1), gdb.parse_and_eval("'%s'::%s" % (source, match.group(1)))


def show_checked():
    """The checker's lists, one a hart; newest first."""
    for hart in range(harts()):
        lock = per_hart("held_locks", hart)
        print("hart %d holds%s" % (hart, ":" if int(lock) else " no spinning lock"))
        while int(lock):
            print("    %-20s rank %d, %#x, by %s" % (text(lock["name"]), int(lock["rank"]), int(lock), label(lock["owner"])))
            lock = lock["below"]


def show_unchecked():
    print("spinning locks: this kernel was built without CHECK=locks, so who holds one is not known.")
    held = [name for kind in ("spinlock", "irqlock") for name, lock in globals_of(kind) if lock["lock"]["held"]]
    held += ["runq of hart %d" % hart for hart in range(harts()) if per_hart("runq", hart)["lock"]["lock"]["held"]]
    print("    held, of the kernel's global ones: %s" % (", ".join(held) or "none"))


def sleeping_locks():
    """(kind, name, value) of every mutex and rwlock that can be found: global ones, those somebody waits for, and those
    of the address spaces, open files, inodes and file systems."""
    for kind in ("mutex", "rwlock"):
        for name, lock in globals_of(kind):
            yield kind, name, lock
    for task in all_tasks():
        wmesg = text(task["wmesg"]) if sleeps(task) else ""
        if wmesg in ("mutex", "rwlock"):
            yield wmesg, "that %s waits for" % label(task.address), container_of(task["wchan"], wmesg, "waitq")
        if int(task["mm"]):
            yield "rwlock", "mm of %s" % label(task.address), task["mm"]["lock"]
        if int(task["files"]):
            table = task["files"]
            for fd in range(int(table["size"])):
                if int(table["fd"][fd]):
                    yield "mutex", "offset of descriptor %d of %s" % (fd, label(task.address)), table["fd"][fd]["pos_lock"]
    for sb in entries(variable("supers"), "super", "link"):
        kind = text(sb["type"]["name"]) if int(sb["type"]) else "file system"
        yield "mutex", "renames of %s" % kind, sb["rename_lock"]
        for inode in entries(sb["inodes"], "inode", "sb_link"):
            yield "rwlock", "inode %d of %s" % (int(inode["ino"]), kind), inode["lock"]
            yield "mutex", "page writing of inode %d of %s" % (int(inode["ino"]), kind), inode["mapping"]["write_mutex"]


def writer_of(lock):
    return lock["count"].cast(gdb.lookup_type("struct task").pointer())


def holder(kind, lock):
    """Who holds it, in words; None when it is free."""
    if kind == "mutex":
        return label(lock["owner"]) if int(lock["owner"]) else None
    count = int(lock["count"])
    if count < 0:
        return "%s, for writing" % label(writer_of(lock))
    return "%d reader%s" % (count, "s" if count > 1 else "") if count else None


@command("locks")
def locks():
    """Show the locks that are held: spinning ones by hart (needs CHECK=locks), mutexes and rwlocks with their owners."""
    if find_symbol("held_locks"):
        show_checked()
    else:
        show_unchecked()
    seen = set()
    print("mutexes and rwlocks:")
    for kind, name, lock in sleeping_locks():
        who = holder(kind, lock)
        if who and int(lock.address) not in seen:
            seen.add(int(lock.address))
            waiting = sum(1 for _ in links(lock["waitq"]["waiters"]))
            print("    %-6s %#x  %s: %s%s" % (kind, int(lock.address), name, who, ", %d wait" % waiting if waiting else ""))
    if not seen:
        print("    none is held of those that can be found")
