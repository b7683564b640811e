"""Debian's own riscv64 busybox and bash, unmodified: the same script must print what it prints on Linux."""
from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from xv39 import images, paths, speed
from xv39.machine import assert_clean

SCRIPT = paths.TOP / "tests/programs/session.sh"
RUN = """#!/bin/sh
mkdir -p {folder} && cd {folder} && {shell} /session.sh > /output 2>/errors
echo "status $?" >> /output
sync
poweroff -f
"""


@pytest.fixture(scope="module")
def expected(debian_root, tmp_path_factory):
    """expected(shell): what the script prints with it under qemu-user on the host."""
    @lru_cache
    def output(shell: str) -> str:
        root = tmp_path_factory.mktemp("linux")
        paths.run("cp", "-a", f"{debian_root}/.", root)
        return linux_output(root, shell)

    return output


def linux_output(root: Path, shell: str) -> str:
    """Run the script on the host. binfmt_misc may be missing, so each program is started by qemu-user by name."""
    bin_folder = root / "emulated"
    bin_folder.mkdir()
    work = root / "work"
    work.mkdir()
    for program in (root / "bin").iterdir():
        wrapper = bin_folder / program.name
        wrapper.write_text(f"#!/bin/sh\nexec {shutil.which(images.qemu_user())} -0 {program.name} "
                           f"{root}/bin/{'bash' if program.name == 'bash' else 'busybox'} \"$@\"\n")
        wrapper.chmod(0o755)
    text = SCRIPT.read_text().replace("BIN=/bin", f"BIN={bin_folder}")
    script = root / "emulated.sh"
    script.write_text(text)
    done = subprocess.run([str(bin_folder / shell), str(script)], cwd=work, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=600 * speed.factor())
    assert done.stdout.endswith("end\n"), done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("shell,folder,smp", [("sh", "/work", 4), ("sh", "/tmp/work", 1),
                                              ("bash", "/work", 1), ("bash", "/tmp/work", 4)])
def test_debian_session(boot, expected, debian_root, tmp_path, shell, folder, smp):
    wanted = expected(shell)
    root = tmp_path / "root"
    root.mkdir()
    paths.run("cp", "-a", f"{debian_root}/.", root)
    shutil.copy(SCRIPT, root / "session.sh")
    (root / "run").write_text(RUN.format(folder=folder, shell=shell))
    (root / "run").chmod(0o755)
    image = images.make_ext2(tmp_path / "disk.img", root, "192M")
    m = boot(disks=[image], smp=smp, mem="512M", append="init=/run")
    m.wait_end(600)
    disk = m.disks[0]
    got = debugfs_cat(disk, "/output")
    assert got.splitlines()[:-1] == wanted.splitlines(), debugfs_cat(disk, "/errors")
    assert got.endswith("status 0\n")
    assert_clean(disk)


def debugfs_cat(disk, path: str) -> str:
    return subprocess.run(["debugfs", "-R", f"cat {path}", str(disk)], capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, timeout=60).stdout
