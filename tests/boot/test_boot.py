"""The contract: what boots, on what machines, with which arguments, and how it ends."""
from __future__ import annotations

import re

import pytest

from xv39 import images, paths

# Every size of machine with some number of harts, and the reverse; not the whole product.
MACHINES = [(1, "32M"), (1, "128M"), (2, "128M"), (4, "128M"), (8, "128M"), (8, "32M"), (4, "2G"), (1, "8G"), (8, "8G")]


@pytest.mark.parametrize("smp,mem", MACHINES)
def test_boots_and_powers_off(shell, smp, mem):
    m = shell(smp=smp, mem=mem)
    assert m.check("echo hello") == "hello\n"
    m.poweroff()


def test_all_harts_are_used(shell):
    m = shell(smp=4)
    harts = re.findall(r"(?m)^processor\s*:\s*(\d+)", m.check("cat /proc/cpuinfo"))
    assert harts == ["0", "1", "2", "3"]


def test_all_memory_is_found(shell):
    m = shell(mem="2G")
    total = re.search(r"MemTotal:\s+(\d+) kB", m.check("cat /proc/meminfo"))
    assert total and 0.95 * 2 * 1024 * 1024 < int(total.group(1)) <= 2 * 1024 * 1024


def test_maxcpus(shell):
    m = shell(smp=4, append="maxcpus=2")
    assert len(re.findall(r"(?m)^processor", m.check("cat /proc/cpuinfo"))) == 2


def test_no_disk(boot):
    m = boot(disks=[])
    m.expect(r"(?m)^panic: [^\r\n]*(root|/dev/vda)", crash_ok=True)


def test_root_that_is_not_there(boot):
    m = boot(root="root=/dev/vdz rw")
    m.expect(r"(?m)^panic: [^\r\n]*(root|/dev/vdz)", crash_ok=True)


def test_no_init(boot, tmp_path):
    (tmp_path / "root").mkdir()
    image = images.make_ext2(tmp_path / "empty.img", images.folders(tmp_path / "root"), "8M")
    m = boot(disks=[image])
    m.expect(r"(?m)^panic: [^\r\n]*init", crash_ok=True)


def test_panic_resets(boot):
    m = boot(disks=[], append="panic=-1")  # a reset ends QEMU under -no-reboot
    m.wait_end(crash_ok=True)


def test_panic_reboots(boot):
    m = boot(disks=[], append="panic=-1", no_reboot=False)
    m.expect(r"(?m)^panic:", crash_ok=True)
    m.expect(r"(?m)^panic:", crash_ok=True)


def test_init_exits(boot):
    m = boot(append="init=/bin/echo -- bye", shell="xv39")
    m.expect("bye", crash_ok=True)
    m.expect(r"(?m)^panic:", crash_ok=True)


def test_bad_value_is_one_line_and_the_default(shell):
    m = shell(append="sched=nonsense")
    assert m.check("echo hello") == "hello\n"
    lines = [line for line in m.text().splitlines() if "nonsense" in line]
    assert len(lines) == 1 and "sched" in lines[0]


@pytest.mark.parametrize("policy", ["cfs", "o1", "rr"])
@pytest.mark.parametrize("preempt", ["full", "none"])
def test_schedulers_boot(shell, policy, preempt):
    m = shell(smp=2, append=f"sched={policy} preempt={preempt}")
    assert m.check("echo hello") == "hello\n"
    m.poweroff()


@pytest.fixture(scope="module")
def args_image(tmp_path_factory):
    """A disk whose only program prints its arguments, its environment and its pid, then switches off."""
    root = images.folders(tmp_path_factory.mktemp("root"))
    images.build(paths.TOP / "tests/programs/showargs.c", root / "bin/showargs")
    return images.make_ext2(tmp_path_factory.mktemp("image") / "args.img", root, "16M")


def show_args(boot, image, append):
    m = boot(disks=[image], append=append, shell="posix")
    m.expect(r"(?m)^pid (\d+)")
    assert m.console.match.group(1) == "1"
    m.expect("(?m)^end of arguments")
    lines = m.before.splitlines()
    m.wait_end()
    return [l[4:] for l in lines if l.startswith("arg ")], [l[4:] for l in lines if l.startswith("env ")]


def test_arguments_after_two_dashes(boot, args_image):
    args, _ = show_args(boot, args_image, "init=/bin/showargs -- one two=2 -- three")
    assert args == ["/bin/showargs", "one", "two=2", "--", "three"]


def test_unknown_arguments_go_to_init(boot, args_image):
    args, env = show_args(boot, args_image, "init=/bin/showargs single COLOUR=blue quiet loglevel=3 -- last")
    assert args == ["/bin/showargs", "single", "last"]
    assert "COLOUR=blue" in env
    assert not any(e.startswith(("loglevel", "root", "init")) for e in env)


@pytest.mark.parametrize("block", [1024, 4096])
@pytest.mark.parametrize("journal", [False, True], ids=["ext2", "ext3"])
def test_disk_formats(boot, args_image, tmp_path, block, journal):
    root = images.folders(tmp_path / "root")
    images.build(paths.TOP / "tests/programs/showargs.c", root / "bin/showargs")
    image = images.make_ext2(tmp_path / "disk.img", root, "32M", block=block, journal=journal)
    args, _ = show_args(boot, image, "init=/bin/showargs")
    assert args == ["/bin/showargs"]


def test_more_disks_and_devices(shell, tmp_path):
    second = tmp_path / "second.img"
    second.write_bytes(b"second disk\n".ljust(1 << 20, b"\0"))
    m = shell(disks=[paths.FSIMG, second], extra=["-device", "virtio-rng-device", "-netdev", "user,id=n0",
                                                  "-device", "virtio-net-device,netdev=n0"])
    assert "vdb" in m.check("cat /proc/partitions") or "vdb" in m.check("ls /dev")


def test_twenty_boots_are_alike(boot):
    seen = set()
    for _ in range(20):
        m = boot(smp=4)
        m.wait_prompt()
        seen.add(m.check("echo hello"))
        m.poweroff()
        m.close()
    assert seen == {"hello\n"}


def test_nothing_is_printed_after_init_starts(shell):
    m = shell(smp=2)
    assert m.quiet_for(5)
