"""Lab demand, what_is_on_the_disk: a file's pages that were written through a shared mapping have got there, through a private one not."""
import random
import struct

PAGES, PAGE = 200, 4096


def prepare(folder, seed):
    (folder / "data").write_bytes(random.Random(seed).randbytes(PAGES * PAGE))


def judge(disk, seed):
    wanted = bytearray(random.Random(seed).randbytes(PAGES * PAGE))
    for i in range(seed % 3, PAGES, 3):
        struct.pack_into("<Q", wanted, i * PAGE + (511 - i % 512) * 8, seed + i)
    found = disk.read("/data")
    assert len(found) == len(wanted), f"the file has {len(found)} bytes, not {len(wanted)}"
    wrong = [i for i in range(PAGES) if found[i * PAGE:][:PAGE] != wanted[i * PAGE:][:PAGE]]
    assert not wrong, f"{len(wrong)} of {PAGES} pages of the file are wrong on the disk, the first is page {wrong[0]}"
