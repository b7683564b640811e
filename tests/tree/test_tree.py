"""The source tree itself: what `make check` checks, and that its tools notice what they are for."""
from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from xv39 import paths, speed


def test_layers():
    paths.run(paths.TOP / "tools/check-layers", cwd=paths.TOP)


@pytest.mark.parametrize("where,what,complaint", [
    ("lib/list.h", "sync/spin.h", "from a floor above"),
    ("mm/page.c", "mm/vm.h", "from a floor above"),
    ("fs/file.c", "proc/life.h", "from a floor above"),
    ("fs/file.c", "nowhere/nothing.h", "does not exist"),
])
def test_layers_notices(tmp_path, where, what, complaint):
    kernel = tmp_path / "kernel"
    for name in {where, what} - {"nowhere/nothing.h"}:
        (kernel / name).parent.mkdir(parents=True, exist_ok=True)
        (kernel / name).write_text("")
    (kernel / where).write_text(f'#include "{what}"\n')
    done = subprocess.run([str(paths.TOP / "tools/check-layers")], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and complaint in done.stdout


def test_symbol_table_is_the_kernels(tmp_path):
    """tools/ksyms: every function of the linked kernel is in its table, at its own address."""
    image = paths.run("nm", "-n", paths.KERNEL).stdout.splitlines()
    symbols = {name: int(address, 16) for address, _, name in map(str.split, image)}
    out = tmp_path / "rodata"
    objcopy = shutil.which("riscv64-unknown-elf-objcopy") or shutil.which("riscv64-linux-gnu-objcopy")
    paths.run(objcopy, "-O", "binary", paths.KERNEL, out)
    data, start = out.read_bytes(), symbols["kernel_start"]

    def u32(symbol: str, index: int) -> int:
        at = symbols[symbol] - start + 4 * index
        return int.from_bytes(data[at:at + 4], "little")

    count = u32("ksyms_count", 0)
    assert count > 100
    for index in range(count):
        at = symbols["ksyms_names"] - start + u32("ksyms_name_offset", index)
        name = data[at:data.index(b"\0", at)].decode()
        address = start + u32("ksyms_offset", index)
        assert any(line.startswith(f"{address:016x}") and line.endswith(f" {name}") for line in image), name


@pytest.mark.skipif(not os.environ.get("CI"), reason="only in CI: needs the versions of clang-format and clang there")
def test_make_check():
    paths.run("make", "check", cwd=paths.TOP, timeout=600 * speed.factor())
