"""Files: descriptor tables and paths."""
import gdb

from .kernel import bits, command, function_name, macros
from .tasks import label, task_or_current


def name_of(dentry):
    """The last part of a path."""
    name = dentry["name"]
    return name["s"].string(length=int(name["len"]), errors="replace") if int(name["s"]) else ""


def path_of(mount, dentry):
    """A struct mount * and a struct dentry * as an absolute path."""
    parts = []
    for _ in range(4096):
        if not int(dentry):
            return "?"
        if int(mount) and int(dentry) == int(mount["root"]):
            if not int(mount["point"]) or not int(mount["parent"]):
                break
            dentry, mount = mount["point"], mount["parent"]
        elif int(dentry) == int(dentry["parent"]):
            break
        else:
            parts.append(name_of(dentry))
            dentry = dentry["parent"]
    return "/" + "/".join(reversed(parts))


def file_path(f):
    """How a file was opened; what has no path is told by its operations."""
    if int(f["path"]["dentry"]):
        return path_of(f["path"]["mount"], f["path"]["dentry"])
    return "[%s]" % function_name(f["ops"])


@command("files [PID]")
def files(pid=None):
    """List the open descriptors of a process: mode, position, references, inode, path.

    Without argument, those of the task that the selected hart runs.
    """
    task = task_or_current(pid)
    if not int(task["files"]):
        raise gdb.GdbError("%s has no descriptor table: a kernel thread, or it has exited" % label(task.address))
    table = task["files"].dereference()
    print("%s, table %#x, shared by %d, room for %d" % (label(task.address), int(table.address), int(table["ref"]["count"]),
                                                      int(table["size"])))
    modes = macros("fs/file.h", "FILE_")
    for fd in range(int(table["size"])):
        if not int(table["fd"][fd]):
            continue
        f = table["fd"][fd].dereference()
        inode = f["inode"]
        print("  %3d  %-24s pos %-8d refs %-3d inode %-8s %s  %s" % (
            fd, bits(int(f["mode"]), modes, "FILE_"), int(f["pos"]), int(f["ref"]["count"]),
            int(inode["ino"]) if int(inode) else "-", "%#x" % int(f.address), file_path(f)))
    if int(task["fs"]):
        cwd, root = task["fs"]["cwd"], task["fs"]["root"]
        print("  cwd %s, root %s" % (path_of(cwd["mount"], cwd["dentry"]), path_of(root["mount"], root["dentry"])))
