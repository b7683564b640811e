"""Memory: VMAs, page tables, page frames, slabs."""
import gdb

from .files import file_path
from .kernel import (PAGE_SHIFT, at, bits, command, direct_base, enum_names, links, macros, number, register,
                     text, tree, variable)
from .tasks import label, task_or_current

LEVELS = 3      # of Sv39's tables (Privileged Specification 4.4): 9 bits of the address each
INDEX_BITS = 9
PPN_SHIFT = 10  # of the page number in an entry
PPN_MASK = (1 << 44) - 1


def mm_of(task):
    if not int(task["mm"]):
        raise gdb.GdbError("%s has no memory of its own: a kernel thread, or it has exited" % label(task.address))
    return task["mm"].dereference()


def vmas_of(mm):
    return tree(mm["vmas"], "vma", "node")


def permissions(flags):
    names = macros("mm/vm.h", "VM_")
    letters = "".join(letter if flags & names[name] else "-"
                      for letter, name in (("r", "VM_READ"), ("w", "VM_WRITE"), ("x", "VM_EXEC")))
    return letters + ("s" if flags & names["VM_SHARED"] else "p")


def vma_name(vma):
    if int(vma["file"]):
        return file_path(at(vma["file"], "file"))
    return text(vma["ops"]["name"]) if int(vma["ops"]) else ""


@command("vmas [PID]")
def vmas(pid=None):
    """List the VMAs of a process: addresses, permissions, page of the file, file, the address of the struct.

    Without argument, those of the task that the selected hart runs.
    """
    task = task_or_current(pid)
    mm = mm_of(task)
    print("%s, mm %#x, %d VMAs, root table %#x, brk %#x" % (label(task.address), int(mm.address), int(mm["nr_vmas"]),
                                                           int(mm["root"]), int(mm["brk"])))
    for vma in vmas_of(mm):
        print("  %012x-%012x %s %6x  %-24s %#x" % (int(vma["start"]), int(vma["end"]), permissions(int(vma["flags"])),
                                                  int(vma["pgoff"]), vma_name(vma), int(vma.address)))


def root_table(pid):
    """Physical address of the root table: of that task, or of the selected hart."""
    if pid:
        return int(mm_of(task_or_current(pid))["root"]) - direct_base()
    satp = register("satp")
    if satp >> 60 == 0:
        raise gdb.GdbError("this hart has paging off")
    return (satp & PPN_MASK) << PAGE_SHIFT


def table_entry(table, index):
    entry = gdb.Value(table + direct_base() + 8 * index)
    return int(entry.cast(gdb.lookup_type("unsigned long").pointer()).dereference())


@command("ptwalk ADDR [PID]")
def ptwalk(addr, pid=None):
    """Walk a page table to an address, level by level, and describe the page frame at the end.

    A table that fork shares is walked too where its entry is not valid: see kernel/mm/share.c.
    The table is that of the process PID, or the one that the selected hart uses now.
    """
    va = number(addr, "an address") & (1 << 64) - 1
    if va >> 38 not in (0, (1 << 26) - 1):
        raise gdb.GdbError("%#x is no Sv39 address: bits 63 to 39 must be equal to bit 38" % va)
    flags = macros("arch/sv39.h", "PTE_")
    names = {name: bit for name, bit in flags.items() if len(name) == len("PTE_V") or "SOFT" in name}
    table = root_table(pid)
    for level in reversed(range(LEVELS)):
        shift = PAGE_SHIFT + INDEX_BITS * level
        index = va >> shift & (1 << INDEX_BITS) - 1
        pte = table_entry(table, index)
        target = (pte >> PPN_SHIFT & PPN_MASK) << PAGE_SHIFT
        print("  level %d  table %#x [%3d] = %#018x  -> %#x  %s" % (level, table, index, pte, target,
                                                                    bits(pte, names, "PTE_")))
        shared = level == 1 and pte & flags["PTE_SOFT1"]  # PTE_SHARED of mm/internal.h
        if shared:
            print("           a table of %d address spaces%s" % (
                int(page_of(target)["ref"]["count"]), "" if pte & flags["PTE_V"] else ", hidden from the hardware"))
        if not pte & flags["PTE_V"] and not shared:
            print("%#x is not mapped" % va)
            return
        if pte & (flags["PTE_R"] | flags["PTE_W"] | flags["PTE_X"]):
            pa = target | va & (1 << shift) - 1
            print("%#x -> physical %#x, kernel address %#x" % (va, pa, pa + direct_base()))
            describe_frame(pa)
            return
        table = target
    print("%#x: the last level holds no leaf: the table is broken" % va)


def page_of(pa):
    """The struct page of a physical address, or None where there is no memory."""
    frame = pa >> PAGE_SHIFT
    first = int(variable("first_frame"))
    if not first <= frame < int(variable("end_frame")):
        return None
    return (variable("page_array") + (frame - first)).dereference()


def page_kind(page):
    return enum_names("page_kind").get(int(page["kind"]), "kind %d" % int(page["kind"]))[len("PAGE_"):].lower()


def describe_frame(pa):
    page = page_of(pa)
    if page is None:
        print("  no memory of ours: a device or the firmware")
        return
    print("  frame %#x: struct page %#x, %s, order %d, %d references" % (
        pa >> PAGE_SHIFT, int(page.address), page_kind(page), int(page["order"]), int(page["ref"]["count"])))


@command("slab")
def slab():
    """Show the slab caches: size of an object, objects in use and in the harts' magazines, slabs."""
    print("NAME                 SIZE   IN USE  MAGAZINES   SLABS  EACH  CACHE")
    cache = variable("all_caches")
    harts = int(variable("nr_harts"))
    while int(cache):
        c = cache.dereference()
        spare = sum(int(c["magazine"][h]["count"]) for h in range(harts) if int(c["magazine"][h]))
        print("%-18s %6d %8d %10d %7d %5d  %#x" % (text(c["name"]), int(c["size"]), int(c["taken"]) - spare, spare,
                                                  int(c["slabs"]), int(c["per_slab"]), int(cache)))
        cache = c["next"]


@command("free-pages")
def free_pages():
    """Show the free blocks of page frames by their order."""
    buddy = variable("buddy")
    first, last = buddy["free"].type.range()
    counts = [sum(1 for _ in links(buddy["free"][order])) for order in range(first, last + 1)]
    print("order  " + " ".join("%6d" % order for order in range(first, last + 1)))
    print("blocks " + " ".join("%6d" % count for count in counts))
    print("%d frames free on these lists of %d; each hart keeps some more" % (int(buddy["nr_free"]), int(variable("pages_total"))))
