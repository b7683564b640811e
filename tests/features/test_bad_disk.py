"""Damaged ext2 and ext3 images: refused, or used with errors for what is damaged, with a clear line; never a panic of
the kernel for what a disk holds, never a hang."""
from __future__ import annotations

import random
import re
import shutil
import struct
import subprocess

import pytest

from xv39 import images

SUPERBLOCK = 1024
BLOCK = 1024


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A tree with enough in it to have indirect blocks, long folders, links and holes; 1 KiB blocks."""
    root = tmp_path_factory.mktemp("tree")
    (root / "big").write_bytes(random.Random(1).randbytes(600 * 1024))
    (root / "folder").mkdir()
    for number in range(300):
        (root / "folder" / f"file-{number:03}").write_text(f"file {number}\n")
    (root / "link").symlink_to("folder/file-007")
    (root / "hello").write_text("hello from the disk\n")
    return images.make_ext2(tmp_path_factory.mktemp("image") / "good.img", root, "8M", block=BLOCK)


def poke(image, offset: int, data: bytes) -> None:
    with image.open("r+b") as f:
        f.seek(offset)
        f.write(data)


def debugfs(image, *commands: str) -> None:
    for command in commands:
        subprocess.run(["debugfs", "-w", "-R", command, str(image)], capture_output=True, check=True,
                       stdin=subprocess.DEVNULL, timeout=60)


def truncated(image): image.open("r+b").truncate(2 << 20)
def cut_in_the_superblock(image): image.open("r+b").truncate(1500)
def empty(image): image.open("r+b").truncate(0)
def no_magic(image): poke(image, SUPERBLOCK + 56, b"\0\0")
def all_zero(image): poke(image, 0, bytes(64 * 1024))
def all_ones(image): poke(image, 0, b"\xff" * 64 * 1024)
def absurd_block_size(image): poke(image, SUPERBLOCK + 24, struct.pack("<I", 77))
def no_inodes_per_group(image): poke(image, SUPERBLOCK + 40, struct.pack("<I", 0))
def no_blocks_per_group(image): poke(image, SUPERBLOCK + 32, struct.pack("<I", 0))
def inode_size_3(image): poke(image, SUPERBLOCK + 88, struct.pack("<H", 3))
def huge_block_count(image): poke(image, SUPERBLOCK + 4, struct.pack("<I", 0xfffffff0))
def unknown_incompatible_feature(image): poke(image, SUPERBLOCK + 96, struct.pack("<I", 0x80000000))
def group_table_of_ones(image): poke(image, 2 * BLOCK, b"\xff" * 32)
def root_is_a_file(image): debugfs(image, "set_inode_field <2> mode 0100644")
def root_without_blocks(image): debugfs(image, "set_inode_field <2> block[0] 0")
def root_block_outside(image): debugfs(image, "set_inode_field <2> block[0] 4000000000")
def indirect_block_outside(image): debugfs(image, "set_inode_field big block[12] 3999999999")
def indirect_block_loops(image): debugfs(image, "set_inode_field big block[13] 60")
def negative_size(image): debugfs(image, "set_inode_field hello size 0xffffffffffff0000")
def entry_of_length_0(image): debugfs(image, "set_inode_field folder size 1024", "zap_block -f folder -o 4 -l 2 0")
def entries_of_ones(image): debugfs(image, "zap_block -f folder -p 0xff 0")
def entries_of_zeros(image): debugfs(image, "zap_block -f folder -p 0 0")
def inode_number_outside(image): debugfs(image, "zap_block -f folder -o 24 -l 4 -p 0xf7 0")
def link_of_no_length(image): debugfs(image, "set_inode_field link size 0")
def link_too_long(image): debugfs(image, "set_inode_field link size 70000")
def bitmaps_full(image): [debugfs(image, f"setb {n} 200") for n in (3000, 4000, 5000)]


DAMAGE = [truncated, cut_in_the_superblock, empty, no_magic, all_zero, all_ones, absurd_block_size, no_inodes_per_group,
          no_blocks_per_group, inode_size_3, huge_block_count, unknown_incompatible_feature, group_table_of_ones,
          root_is_a_file, root_without_blocks, root_block_outside, indirect_block_outside, indirect_block_loops,
          negative_size, entry_of_length_0, entries_of_ones, entries_of_zeros, inode_number_outside, link_of_no_length,
          link_too_long, bitmaps_full]


def use_disk(m, device: str) -> bool:
    """Mount the second disk and use all of it; whether it could be mounted. Any error is fine, no answer is not."""
    status, _ = m.run(f"mount -t ext2 {device} /mnt")
    mounted = device in m.check("cat /proc/mounts")
    if mounted:
        for command in ("ls /mnt", "ls -l /mnt/folder", "cat /mnt/hello", "md5sum /mnt/big", "cat /mnt/link",
                        "echo new > /mnt/new", "cp /mnt/big /mnt/copy", "rm /mnt/folder/file-100", "rm /mnt/hello",
                        "mkdir /mnt/more", "mv /mnt/big /mnt/more", "rm -r /mnt/folder", "sync", "df /mnt",
                        "umount /mnt"):
            m.run(f"timeout -s KILL 10 sh -c '{command}' >/dev/null 2>&1")  # folders may contain themselves
    return mounted


@pytest.fixture(scope="module")
def bad_image(debian_with):
    return debian_with(add=lambda root: (root / "mnt").mkdir())


def start(boot, bad_image, disks):
    """QEMU wants whole sectors; a disk shorter than one is padded."""
    for disk in disks:
        size = disk.stat().st_size
        disk.open("r+b").truncate(max(512, (size + 511) // 512 * 512))
    m = boot(disks=[bad_image, *disks], mem="256M", append="init=/bin/sh", shell="posix")
    m.wait_prompt(120)
    return m


def test_F6_the_good_disk_is_good(boot, bad_image, good):
    m = start(boot, bad_image, [good])
    m.check("mount -t ext2 /dev/vdb /mnt")
    assert m.check("cat /mnt/hello") == "hello from the disk\n"
    assert m.check("cat /mnt/link") == "file 7\n"
    assert m.check("ls /mnt/folder | wc -l").strip() == "300"


# The board has room for eight devices. Six disks at a time, as /dev/vdb ... /dev/vdg: a boot for each would take longer and show no more.
@pytest.mark.parametrize("which", [DAMAGE[n:n + 6] for n in range(0, len(DAMAGE), 6)],
                         ids=lambda kinds: "-".join(kind.__name__ for kind in kinds))
def test_F6_damaged_disks(boot, bad_image, good, tmp_path, which):
    disks = []
    for damage in which:
        disks.append(tmp_path / f"{damage.__name__}.img")
        shutil.copy(good, disks[-1])
        damage(disks[-1])
    m = start(boot, bad_image, disks)
    for number, damage in enumerate(which):
        use_disk(m, f"/dev/vd{chr(ord('b') + number)}")
        assert m.check("echo alive") == "alive\n", damage.__name__


@pytest.mark.parametrize("seed", range(2))
def test_F6_random_damage(boot, bad_image, good, tmp_path, seed):
    """Bytes changed at random in what is not file contents: the first 300 KiB."""
    disks = []
    for number in range(6):
        chance = random.Random(seed * 100 + number)
        disks.append(tmp_path / f"random-{number}.img")
        shutil.copy(good, disks[-1])
        for _ in range(4 ** chance.randint(1, 5)):
            poke(disks[-1], chance.randrange(SUPERBLOCK, 300 * 1024), chance.randbytes(chance.choice([1, 2, 4])))
    m = start(boot, bad_image, disks)
    for number in range(len(disks)):
        use_disk(m, f"/dev/vd{chr(ord('b') + number)}")
        assert m.check("echo alive") == "alive\n", f"seed {seed}, disk {number}"


@pytest.mark.parametrize("damage", [no_magic, truncated, root_is_a_file, unknown_incompatible_feature])
def test_F6_damaged_root_is_a_clear_line(boot, good, tmp_path, damage):
    disk = tmp_path / "root.img"
    shutil.copy(good, disk)
    damage(disk)
    m = boot(disks=[disk], append="panic=-1")
    m.expect(r"(?m)^panic: [^\r\n]*(root|init|vda)[^\r\n]*[\r\n]", crash_ok=True)
    assert not re.search("oops", m.before, re.IGNORECASE)
