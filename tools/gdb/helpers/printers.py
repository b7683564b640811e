"""Pretty printers: one line that says what a structure is, then its members. `print/r` shows it raw."""
import gdb

from .files import file_path, name_of as dentry_name
from .kernel import links, text
from .memory import page_kind, permissions, vma_name
from .tasks import label, name_of as task_name, pid_of, state_of


def show_list(value):
    if not int(value["next"]):
        return "list, not set up"
    count = sum(1 for _ in links(value))
    return "list of %d" % count if count else "empty list"


def show_lock(value):
    lock = value["lock"]
    names = [field.name for field in lock.type.fields()]
    if not lock["held"]:
        return "free"
    return "held by %s" % label(lock["owner"]) if "owner" in names else "held"


def show_mutex(value):
    return "held by %s" % label(value["owner"]) if int(value["owner"]) else "free"


def show_rwlock(value):
    count = int(value["count"])
    return "written by %s" % label(value["count"].cast(gdb.lookup_type("struct task").pointer())) if count < 0 else "%d readers" % count if count else "free"


def show_waitq(value):
    return "%d wait" % sum(1 for _ in links(value["waiters"]))


def show_process(value):
    leader = label(value["leader"]) if int(value["leader"]) else "no leader"
    return "process of %s, %d threads" % (leader, int(value["nr_threads"]))


def show_vma(value):
    return "%#x-%#x %s %s" % (int(value["start"]), int(value["end"]), permissions(int(value["flags"])), vma_name(value))


def show_inode(value):
    kind = text(value["sb"]["type"]["name"]) if int(value["sb"]) and int(value["sb"]["type"]) else "?"
    return "inode %d of %s, mode %o, %d bytes" % (int(value["ino"]), kind, int(value["mode"]), int(value["size"]))


def show_dentry(value):
    return "\"%s\"%s" % (dentry_name(value), "" if int(value["inode"]) else ", which does not exist")


# structure: (a member that tells it from others of its name, what it says of itself, whether its members follow)
KNOWN = {
    "task": ("all_link", lambda v: "%s (pid %d), %s" % (task_name(v), pid_of(v), state_of(v)), True),
    "process": ("siglock", show_process, True),
    "mm": ("vmas", lambda v: "%d VMAs, %d users" % (int(v["nr_vmas"]), int(v["users"]["count"])), True),
    "vma": ("pgoff", show_vma, True),
    "page": ("kind", lambda v: "%s page of order %d, %d references" % (page_kind(v), int(v["order"]),
                                                                    int(v["ref"]["count"])), True),
    "inode": ("ino", show_inode, True),
    "dentry": ("sibling", show_dentry, True),
    "file": ("pos_lock", lambda v: "%s at %d" % (file_path(v), int(v["pos"])), True),
    "pid": ("nr", lambda v: "pid %d" % int(v["nr"]), True),
    "list": ("prev", show_list, False),
    "spinlock": ("lock", show_lock, False),
    "irqlock": ("lock", show_lock, False),
    "mutex": ("owner", show_mutex, False),
    "rwlock": ("writers_waiting", show_rwlock, False),
    "waitq": ("waiters", show_waitq, False),
    "ref": ("count", lambda v: str(int(v["count"])), False),
}
# Of struct page's union, the part that its kind uses.
PAGE_PARTS = {"free": "free", "cache": "cache", "slab": "slab", "table": "table"}


class Summary:
    def __init__(self, value, say):
        self.value, self.say = value, say

    def to_string(self):
        try:
            return self.say(self.value)
        except gdb.MemoryError:
            return "(not readable from here: `in-kernel print ...`)"
        except gdb.GdbError as error:
            return "(%s)" % error


class Members(Summary):
    def children(self):
        for field in self.value.type.fields():
            if field.name:
                yield field.name, self.value[field.name]
            else:
                part = PAGE_PARTS.get(page_kind(self.value))
                if part:
                    yield part, self.value[part]


def lookup(value):
    type_ = value.type.strip_typedefs()
    if type_.code != gdb.TYPE_CODE_STRUCT or type_.tag not in KNOWN:
        return None
    mark, say, members = KNOWN[type_.tag]
    if not any(field.name == mark for field in type_.fields()):
        return None
    return (Members if members else Summary)(value, say)


gdb.pretty_printers[:] = [p for p in gdb.pretty_printers if getattr(p, "__module__", "") != __name__]
gdb.pretty_printers.append(lookup)
