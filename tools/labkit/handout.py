"""From the reference to what students get: a folder with the sources, without the mechanism, and with a history of its own."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import source
from .spec import TOP, Lab, LabError, public_toml

# What a student needs to build, run and grade; the rest of the reference stays at home.
WANTED = ("Makefile", ".gitignore", ".clang-format", ".gdbinit.tmpl", "LICENSE", "kernel", "user", "mkfs", "tools", "docs",
          "labs/judge.c", "labs/judge.h", "labs/apart.c", "tests/xv39", "tests/conftest.py", "tests/pytest.ini", "tests/features/test_usertests.py")
WORKING = """
## Working here

    make qemu        build and boot to a shell; leave with `poweroff`, or ^A x
    make qemu-gdb    the same, stopped, for gdb-multiarch in a second window in this folder
    make grade       the tests that you have, and the points they give; consoles are in build/grade
    git diff         what you have written

What this machine lacks is named, and on Debian and Ubuntu installed. `docs/` is the book about this kernel; begin with `docs/map.md`.
"""
WHEN = "2025-01-01T00:00:00Z"  # of the first commit: the same handout has the same hash


def files(top: Path = TOP) -> list[str]:
    """The names of the reference's files: what git knows, or in a copy without git, what is there."""
    done = subprocess.run(["git", "-C", str(top), "ls-files", "-z"], capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return [name for name in done.stdout.split("\0") if name and (top / name).exists()]
    found = [path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith(("build/", ".git/", "tests/logs/")) and "__pycache__" not in name
                  and name != "kernel/kernel" and not name.endswith(".img"))


def copy(out: Path, wanted: tuple[str, ...], top: Path = TOP) -> None:
    """Files of the reference below these names, with their times."""
    for name in files(top):
        if any(name == w or name.startswith(w + "/") for w in wanted):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(top / name, out / name)


def edit(tree: Path, edits: list[dict]) -> None:
    for change in edits:
        source.apply(tree, change)


def git(folder: Path, *words: str) -> None:
    env = os.environ | {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                        for what, value in (("NAME", "xv39"), ("EMAIL", "labs@xv39.invalid"), ("DATE", WHEN))}
    subprocess.run(["git", "-C", str(folder), "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *words], check=True,
                   capture_output=True, env=env | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull})


def make(lab: Lab, out: Path) -> None:
    """Write the handout of the lab to the folder `out`, which must not exist."""
    if out.exists():
        raise LabError(f"{out} is there already")
    out.mkdir(parents=True)
    copy(out, WANTED)
    edit(out, lab.remove)
    mine = out / "labs" / lab.name
    mine.mkdir(parents=True)
    (mine / "lab.toml").write_text(public_toml(lab))
    for path in [*lab.files(hidden=False), *lab.scripts(hidden=False)]:
        (mine / path.name).write_text(lab.fill(path.read_text()))
    (out / "README.md").write_text(lab.fill((lab.folder / "README.md").read_text()) + WORKING)
    git(out, "init", "-q")
    git(out, "add", "-A")
    git(out, "commit", "-q", "-m", f"Lab {lab.name}: {lab.title}")
