"""Disk images for tests, made by the host's own tools."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Callable

import pytest

from . import paths, speed

EMPTY_FOLDERS = ("bin", "dev", "dev/shm", "dev/pts", "etc", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "var")


def make_ext2(image: Path, folder: Path, size: str = "32M", *, block: int = 4096, journal: bool = False,
              options: tuple[str, ...] = ()) -> Path:
    """An image that holds what folder holds, everything owned by root; ext3 when it has a journal."""
    image.unlink(missing_ok=True)
    paths.run("mke2fs", "-q", "-F", "-t", "ext3" if journal else "ext2", "-b", block, "-E", "root_owner=0:0",
              *options, "-d", folder, image, size)
    return image


def folders(root: Path) -> Path:
    """The folders that a system wants to find, below root."""
    for name in EMPTY_FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    return root


@lru_cache(maxsize=None)
def debian_tar(*packages: str) -> Path:
    """A tar file with the files of these riscv64 packages of Debian. No network: skipped, but in CI it fails."""
    done = subprocess.run([str(paths.TOP / "tools/fetch-debian"), *packages], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=900)
    if done.returncode == 0:
        return Path(done.stdout.strip())
    if paths.CI:
        pytest.fail(done.stderr)
    pytest.skip(done.stderr.strip().splitlines()[-1])


def take(tar: Path, wanted: dict[str, str], root: Path) -> None:
    """Copy single files out of a Debian tar: {path ending in the tar: path below root}."""
    left = dict(wanted)
    with tarfile.open(tar) as archive:
        for member in archive:
            for ending, target in list(left.items()):
                if member.isfile() and member.name.endswith(ending):
                    out = root / target
                    out.parent.mkdir(parents=True, exist_ok=True)
                    with archive.extractfile(member) as source, out.open("wb") as copy:
                        shutil.copyfileobj(source, copy)
                    out.chmod(0o755)
                    del left[ending]
    assert not left, f"{tar} has no {', '.join(left)}"


def add_libraries(root: Path, program: Path, find: Callable[[str], Path | str]) -> None:
    """Put below root what the program needs of shared libraries, where its loader looks for them; find(name) has it."""
    wanted = [program]
    while wanted:
        text = paths.run("riscv64-linux-gnu-readelf", "-d", wanted.pop()).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", text):
            target = root / "lib" / name
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                shutil.copy(find(name), target)
                wanted.append(target)


def install(root: Path, packages: tuple[str, ...], *programs: str, folders: tuple[str, ...] = ()) -> Path:
    """Put programs of Debian packages below root, with the shared libraries that they need, and these folders. The last one's path."""
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary)
        paths.run("tar", "-xf", debian_tar(*packages), "-C", files, "--exclude=./dev")
        for name in folders:
            shutil.copytree(files / name, root / name, symlinks=True, ignore_dangling_symlinks=True)
        for program in programs:
            shutil.copy(files / program, root / program)
            add_libraries(root, root / program, lambda name: next(
                file for folder in ("usr/lib/riscv64-linux-gnu", "usr/lib") if (file := files / folder / name).exists()))
    return root / programs[-1]


def install_libraries(root: Path, program: Path) -> None:
    """The shared libraries of a program that Debian's compiler could have made."""
    tar = debian_tar("libgcc-s1", "libstdc++6")
    with tempfile.TemporaryDirectory() as temporary:
        paths.run("tar", "-xf", tar, "-C", temporary, "--exclude=./dev")
        folder = Path(temporary) / "usr/lib/riscv64-linux-gnu"
        add_libraries(root, program, lambda name: folder / name if (folder / name).exists() else folder.parent / name)


@lru_cache(maxsize=None)
def npm_package(spec: str) -> Path:
    """The folder of a package of npm, NAME@VERSION, kept in the same cache. No registry: skipped, but in CI it fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xv39"
    folder = cache / ("npm-" + re.sub(r"[^\w.-]+", "-", spec.strip("@")))
    if folder.exists():
        return folder / "package"
    npm = paths.find_tool("npm")
    if not npm:
        pytest.skip("npm is missing, which fetches programs")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        done = subprocess.run([npm, "pack", "--silent", "--pack-destination", temporary, spec], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=300, cwd=temporary)
        if done.returncode:
            (pytest.fail if paths.CI else pytest.skip)(f"npm could not fetch {spec}: {done.stderr.strip()[-200:]}")
        out = Path(temporary) / "out"
        out.mkdir()
        paths.run("tar", "-xzf", Path(temporary) / done.stdout.split()[-1], "-C", out)
        if not folder.exists():
            out.rename(folder)
    return folder / "package"


def qemu_user() -> str:
    """The command that runs a riscv64 program of Linux on the host."""
    command = paths.find_tool("qemu-riscv64", "qemu-riscv64-static")
    assert command, "qemu-user is missing: make setup"
    return command


def install_python(root: Path, script: Path) -> None:
    """Debian's python3 with its library, and a script, whose imports are compiled: `import NAME` lines."""
    install(root, ("python3",), "usr/bin/python3.13", folders=("usr/lib/python3.13",)).rename(root / "usr/bin/python3")
    shutil.copy(script, root / script.name)
    # Debian's packages have no compiled modules. Importing them on the host leaves those that the script uses.
    modules = re.findall(r"(?m)^import (\S+)", script.read_text()) + ["concurrent.futures.thread"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONHOME": f"{root}/usr"}
    paths.run(qemu_user(), "-L", root, root / "usr/bin/python3", "-c", "import " + ", ".join(modules), env=env)


def host_python(script: Path) -> str:
    """What the host's python3 prints for that script."""
    python = shutil.which("/usr/bin/python3") or sys.executable
    return paths.run(python, "-W", "ignore", script, timeout=120 * speed.factor()).stdout


def debian_root(root: Path) -> Path:
    """A tree with Debian's own busybox, under all its names, and bash, both static and unmodified."""
    folders(root)
    take(debian_tar("bash-static", "busybox-static"),
         {"bin/busybox": "bin/busybox", "bin/bash-static": "bin/bash"}, root)
    applets = paths.run(qemu_user(), root / "bin/busybox", "--list").stdout.split()
    for name in applets:
        link = root / "bin" / name
        if not link.exists():
            os.symlink("busybox", link)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return root


def build(source: Path, out: Path, *options: str) -> Path:
    """A static program for Linux's riscv64 ABI from one C file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    paths.run("riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread", *options, "-o", out, source)
    return out
