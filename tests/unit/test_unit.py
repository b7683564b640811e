"""Build every test_*.c here for the host, with sanitizers, and run it: one case per file.

The first line of a test names the kernel files it needs, relative to kernel/, and headers of this folder that each of them must see first:
    // with: lib/rbtree.c lib/string.c
"""
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
KERNEL = HERE.parent.parent / "kernel"
SOURCES = sorted(HERE.glob("test_*.c"))
BUILD = [
    "gcc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-fno-builtin",
    "-fsanitize=address,undefined", "-fno-sanitize-recover",
    f"-I{KERNEL}", f"-I{KERNEL / 'include'}", f"-I{HERE}", "-include", str(HERE / "rename.h"),
]


def kernel_files(source):
    first = source.read_text().splitlines()[0]
    assert first.startswith("// with:"), f"{source.name} must start with `// with: files`"
    names = first.removeprefix("// with:").split()
    headers = [word for name in names if name.endswith(".h") for word in ("-include", str(HERE / name))]
    return headers + [str(KERNEL / name) for name in names if name.endswith(".c")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_host(source, tmp_path):
    program = tmp_path / source.stem
    build = subprocess.run([*BUILD, *kernel_files(source), str(source), "-o", str(program)],
                           capture_output=True, text=True, timeout=120)
    assert build.returncode == 0, build.stderr
    assert not build.stderr, build.stderr
    run = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    report = run.stdout + run.stderr
    assert run.returncode == 0, report
    assert "not ok" not in run.stdout and "ok " in run.stdout, report
