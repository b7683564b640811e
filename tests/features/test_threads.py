"""T4, T8, T11, I6: what glibc builds on threads, timers and pidfds, in a program of its own."""
from __future__ import annotations

import pytest

from xv39 import images, paths


@pytest.fixture(scope="module")
def threads_image(debian_root, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    paths.run("cp", "-a", f"{debian_root}/.", root)
    images.build(paths.TOP / "tests/programs/threads.c", root / "bin/threads")
    return images.make_ext2(tmp_path_factory.mktemp("image") / "threads.img", root, "96M")


@pytest.mark.parametrize("smp", [1, 4])
def test_T4_glibc_threads(boot, threads_image, smp):
    m = boot(disks=[threads_image], smp=smp, mem="512M", append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("threads", timeout=180)
    assert "not ok" not in output and "1..7" in output, output
