"""A disk of files that a test has, and what is on it afterwards: judged by e2fsck and debugfs, not by the kernel that wrote it.

A test whose lab.toml says `disk = "hidden_x.py"` has a machine of its own with a third disk, /dev/vdc, ext2. The script has

    prepare(folder, seed)    fills the folder that the disk is made of
    judge(disk, seed)        asserts what must be on it when the machine has been switched off

`seed` is the one that the C case has in its variable of that name, new for each grading. The case mounts the disk and
unmounts it. In any case the disk must be clean for e2fsck.
"""
from __future__ import annotations

import importlib.util
import resource
import subprocess
from pathlib import Path

from xv39 import paths, speed

MIB = 8


class Disk:
    """What debugfs reads."""

    def __init__(self, image: Path, work: Path) -> None:
        self.image, self.work = image, work

    def tool(self, *words: str) -> subprocess.CompletedProcess:
        """The image is the submission's work: a tool that it leads astray must end."""
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * speed.factor(),
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB << 22,) * 2))

    def check(self) -> None:
        done = self.tool("e2fsck", "-fn", str(self.image))
        said = [line for line in done.stdout.decode(errors="replace").splitlines() if line and not line.startswith(("Pass", "e2fsck"))]
        assert done.returncode == 0, f"e2fsck finds: {'; '.join(said[:4])}"

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        out = self.work / "dumped"
        out.unlink(missing_ok=True)
        self.tool("debugfs", "-R", f"dump {path} {out}", str(self.image))
        assert out.exists(), f"there is no {path} on the disk"
        return out.read_bytes()

    def names(self, path: str = "/") -> set[str]:
        """What is in a folder, without `.`, `..` and lost+found."""
        said = self.tool("debugfs", "-R", f"ls -p {path}", str(self.image)).stdout.decode(errors="replace")
        found = {line.split("/")[5] for line in said.splitlines() if line.count("/") >= 6}
        return found - {".", "..", "lost+found", ""}


def load(script: Path):
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(script.stem, script))
    module.__spec__.loader.exec_module(module)
    return module


def make(script: Path, work: Path, seed: int) -> Path:
    folder, image = work / "files", work / "files.img"
    folder.mkdir()
    load(script).prepare(folder, seed)
    paths.run(paths.TOP / "mkfs/image", image, folder, MIB)
    return image


def judge(script: Path, image: Path, work: Path, seed: int) -> str:
    """What is wrong with the disk, nothing if all is well."""
    disk = Disk(image, work)
    try:
        disk.check()
        load(script).judge(disk, seed)
    except AssertionError as wrong:
        return str(wrong).split("\n")[0] or "the disk does not hold what it should"
    except subprocess.TimeoutExpired as late:
        return f"{late.cmd[0]} does not come to an end with the disk"
    return ""
