"""Grading a tree: its kernel, built and run by our Makefile, tools, user programs and tests.

Of a submission only kernel/ is looked at, and files that the lab names; of that only regular files with plain names; its Makefile, tools, programs, tests and
what it has built stay where they are. The kernel is compiled in one folder, the program that judges it (labs/judge.c with the
lab's cases) in another, of the reference's files only: neither an #include nor a header of the submission gets to the
hidden tests or to the key that makes a verdict a verdict.
"""
from __future__ import annotations

import math
import os
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pexpect

from xv39 import paths, speed
from xv39.machine import Machine

from . import disks, gdbside, handout
from .spec import TOP, Lab, Test


class GraderError(Exception):
    """The grading itself went wrong; it says nothing about the submission."""


NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
ENDINGS = (".c", ".h", ".S", ".def")
OURS = {"kernel/kernel.ld"}              # the linker's script is not the students'
MAX_FILES, MAX_BYTES = 2000, 32 << 20    # of a submission
CONSOLE_LIMIT = 2 << 20                  # bytes that one boot may print
BUILD_S, BOOT_S = 600, 60                # on a machine of the usual speed
TAIL = 25                                # lines of the console shown for a failure


@dataclass
class Outcome:
    test: Test
    passed: bool = False
    why: str = ""
    console: str = ""
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return self.test.points if self.passed else 0


@dataclass
class Result:
    lab: Lab
    tree: Path
    outcomes: list[Outcome]
    built: bool = False
    build_output: str = ""
    warnings: int = 0
    notes: list[str] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return sum(outcome.score for outcome in self.outcomes)


def say(text: str) -> None:
    """A line of progress, replaced by the next one on a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:<100}"[:100].rstrip() if end == "\n" else f"{text:<100}"[:100], end=end, file=sys.stderr, flush=True)


# ---- what is taken from the submission

def submitted(tree: Path) -> tuple[list[str], list[str]]:
    """Names of files below kernel/ that are taken, and what is to be said of others."""
    taken, notes, size = [], [], 0
    top = tree / "kernel"
    if not top.is_dir() or top.is_symlink():
        return [], ["there is no folder kernel/"]
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = Path(folder, name)
            relative, info = path.relative_to(tree).as_posix(), path.lstat()
            is_folder = name in folders
            if not NAME.fullmatch(name):
                notes.append(f"not taken: {relative!r}: its name")
            elif not (stat.S_ISDIR(info.st_mode) if is_folder else stat.S_ISREG(info.st_mode)):
                notes.append(f"not taken: {relative}: not a plain file")
            elif is_folder:
                continue
            elif name.endswith(ENDINGS) and relative not in OURS:
                taken.append(relative)
                size += info.st_size
            if is_folder:
                folders.remove(name) if name in folders else None
        if len(taken) > MAX_FILES or size > MAX_BYTES:
            return [], [f"kernel/ has more than {MAX_FILES} sources or {MAX_BYTES >> 20} MiB"]
    return taken, notes


def same(a: Path, b: Path) -> bool:
    return b.exists() and a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()


def kernel_tree(tree: Path, out: Path, fresh: bool, base: Path = TOP) -> tuple[int, list[str]]:
    """A folder to build the kernel in: how many sources were taken, and what is to be said. What is as in `base`, the reference, keeps its time, so objects that are
    there need not be made again; not when there are new headers, for one may hide another."""
    taken, notes = submitted(tree)
    handout.copy(out, ("Makefile", "tools", "mkfs", "kernel/kernel.ld"))
    (out / "user").mkdir(exist_ok=True)
    reference = set(handout.files(base))
    for name in taken:
        source, target = tree / name, out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in reference and same(source, base / name):
            shutil.copy2(base / name, target)
        else:
            fresh |= name not in reference and name.endswith(".h")
            shutil.copyfile(source, target)
    objects = base / "build/obj/kernel"
    if not fresh and objects.is_dir():
        shutil.copytree(objects, out / "build/obj/kernel", copy_function=shutil.copy2)
    return len(taken), notes


# ---- building

def limits() -> None:
    """Of what builds a submission: it may not take the machine with it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20,) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(BUILD_S * speed.factor()),) * 2)


def make(folder: Path, *goals: str) -> tuple[bool, str]:
    """make there, under limits: whether it went well, and what it said."""
    env = {k: os.environ[k] for k in ("PATH", "TOOLPREFIX", "LANG", "LC_ALL") if k in os.environ}
    env |= {"HOME": str(folder), "TMPDIR": str(folder.parent)}
    with tempfile.TemporaryFile(dir=folder.parent) as said:
        child = subprocess.Popen(["make", "-s", f"-j{min(4, os.cpu_count() or 1)}", "V=1", *goals], cwd=folder, env=env, stdout=said,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=limits)
        late = ""
        try:
            child.wait(BUILD_S * speed.factor())
        except subprocess.TimeoutExpired:
            late = f"\nthe build had not ended after {BUILD_S * speed.factor():.0f} s"
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        said.seek(0)
        return child.returncode == 0 and not late, said.read(1 << 20).decode(errors="replace") + late


def user_tree(out: Path) -> None:
    """A folder with the reference's user programs."""
    handout.copy(out, ("Makefile", "tools", "mkfs", "user", "kernel/include"))
    objects = TOP / "build/obj/user/lib"
    if objects.is_dir():
        shutil.copytree(objects, out / "build/obj/user/lib", copy_function=shutil.copy2)


def labtest_tree(lab: Lab, out: Path) -> None:
    """A folder with the reference's user programs and the one that judges, without its key."""
    user_tree(out)
    add_cases(lab, out, "labs/judge.c", False)


def add_cases(lab: Lab, out: Path, main: str, apart: bool) -> None:
    """The program user/labtest: this main file, and cases, but not yet the table of them."""
    mine = out / "user/labtest"
    mine.mkdir()
    shutil.copyfile(TOP / main, mine / "main.c")
    shutil.copyfile(TOP / "labs/judge.h", mine / "judge.h")
    for path in lab.files(apart=apart):
        (mine / path.name).write_text(lab.fill(path.read_text()))
    for name in ("help.c", "frame.c", *(lab.apart_cases if apart else lab.cases)):
        shutil.copyfile(TOP / "user/usertests" / name, mine / f"ut_{name}")
    (mine / "lab.h").write_text(lab.header())


def write_table(lab: Lab, tree: Path, key: tuple[int, int] = (0, 0)) -> None:
    """What changes with each grading: the key; and which cases there are."""
    mine = tree / "user/labtest"
    tables = sorted(set(re.findall(r"(?m)^const struct test (\w+)\[\] = \{", "\n".join(p.read_text() for p in mine.glob("*.c")))))
    names = ", ".join(f'"{test.name}"' for test in lab.tests)
    (mine / "table.c").write_text(
        '#include "user/labtest/judge.h"\n' + "".join(f"extern const struct test {t}[];\n" for t in tables) +
        f"const struct test *const judge_tables[] = {{{', '.join(tables)}, 0}};\n"
        f"const char *const judge_cases[] = {{{names}, 0}};\n"
        f"const uint64_t judge_key[2] = {{{key[0]:#x}, {key[1]:#x}}};\n")


def apart_program(lab: Lab, submission: Path, work: Path) -> tuple[bool, str]:
    """work/labapart, of what students wrote for programs and the cases that call it: whether that went well, and what was said. Theirs is
    compiled where no case is to be seen, and only then linked with them; the program that judges has nothing of it."""
    tree, said = work / "apart", ""
    user_tree(tree)
    for name in lab.theirs:
        path = submission / name
        if path.resolve() != submission.resolve() / name or not path.is_file() or path.stat().st_size > 1 << 20:
            return False, f"{name} is not there, or not a plain file"
        shutil.copyfile(path, tree / name)
    good, said = make(tree, *(f"build/obj/{name}.o" for name in lab.theirs))
    if not good:
        return False, said
    for name in lab.theirs:
        (tree / f"build/obj/{name}.d").unlink()
    add_cases(lab, tree, "labs/apart.c", True)
    write_table(lab, tree)
    good, more = make(tree, "build/user/labtest")
    if good:
        shutil.move(tree / "build/user/labtest", work / "labapart")
    return good, said + ("" if good else more)


_tests: dict[tuple[str, str], Path] = {}  # trees of labtest, by lab and seed: of a batch, only the first compiles all
_folder: tempfile.TemporaryDirectory | None = None


def labtest_image(lab: Lab, work: Path, key: tuple[int, int]) -> tuple[Path, Path]:
    """The program that judges, which depends on nothing of the submission, and a disk with it and those that it starts."""
    global _folder
    _folder = _folder or tempfile.TemporaryDirectory(prefix="xv39-labtest-")
    tree, image = Path(_folder.name, f"{lab.name}-{lab.seed.encode().hex()}"), work / "lab.img"
    if (lab.name, lab.seed) not in _tests:
        labtest_tree(lab, tree)
        _tests[lab.name, lab.seed] = tree
    write_table(lab, tree, key)
    programs = ["build/user/labtest", *(f"build/user/{name}" for name in lab.machine.get("programs", []))]
    good, said = make(tree, *programs)
    if not good:
        raise GraderError(f"the tests of lab {lab.name} do not build:\n{said}")
    paths.run(tree / "mkfs/xv39", image, *(tree / program for program in programs), *work.glob("labapart"), env=os.environ | {"SIZE": "16"})
    shutil.copyfile(tree / "build/user/labtest", work / "labtest.elf")
    (tree / "user/labtest/table.c").unlink()
    return work / "labtest.elf", image


# ---- verdicts, as labs/judge.c writes them

RECORD = struct.Struct("<QIII492s")
BEGINS, ENDED = 1, 2
MASK = (1 << 64) - 1


def siphash(key: tuple[int, int], data: bytes) -> int:
    """SipHash-2-4."""
    v = [key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573]

    def left(x: int, n: int) -> int:
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n: int) -> None:
        a, b, c, d = v
        for _ in range(n):
            a, c = (a + b) & MASK, (c + d) & MASK
            b, d = left(b, 13) ^ a, left(d, 16) ^ c
            a = left(a, 32)
            c, a = (c + b) & MASK, (a + d) & MASK
            b, d = left(b, 17) ^ c, left(d, 21) ^ a
            c = left(c, 32)
        v[:] = a, b, c, d

    whole = len(data) // 8 * 8
    words = [*struct.unpack(f"<{whole // 8}Q", data[:whole]),
             int.from_bytes(data[whole:], "little") | (len(data) & 0xff) << 56]
    for word in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@dataclass
class Verdicts:
    """What the second disk says, as far as it is genuine."""
    key: tuple[int, int]
    began: set[int] = field(default_factory=set)
    ended: dict[int, tuple[int, str]] = field(default_factory=dict)
    seen: dict[int, bytes] = field(default_factory=dict)

    def read(self, disk: Path, count: int) -> bool:
        """Look again; whether there was something new."""
        data, news = disk.read_bytes(), False
        for sector in range(2 * count):
            record = data[sector * 512:sector * 512 + 512]
            if not any(record[:8]) or self.seen.get(sector) == record:
                continue
            self.seen[sector] = record
            tag, number, what, result, why = RECORD.unpack(record)
            if (number, what) != (sector // 2, sector % 2 + 1) or tag != siphash(self.key, record[8:511]):
                continue
            news = True
            if what == BEGINS:
                self.began.add(number)
            else:
                self.ended[number] = (result, why.split(b"\0")[0].decode(errors="replace"))
        return news


# ---- running

def watch(m: Machine, lab: Lab, verdicts: Verdicts, first: int) -> str:
    """Until the machine ends or must be ended: why."""
    printed, since = 0, time.monotonic()
    while True:
        try:
            printed += len(m.console.read_nonblocking(1 << 16, timeout=0.2))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            verdicts.read(m.disks[1], len(lab.tests))
            return "the machine ended"
        if printed > CONSOLE_LIMIT:
            verdicts.read(m.disks[1], len(lab.tests))
            return f"more than {CONSOLE_LIMIT >> 20} MiB were printed"
        if verdicts.read(m.disks[1], len(lab.tests)):
            since = time.monotonic()
        at = max(verdicts.began | {first - 1})
        limit = BOOT_S if at < first or at in verdicts.ended else 2 * lab.tests[at].limit + 15
        if time.monotonic() - since > limit * speed.factor():
            return "no answer" if at < first else f"no end after {limit * speed.factor():.0f} s"


def reason(why: str, console: str) -> str:
    panic = re.search(r"(?m)^\W*((?:panic:|oops\b|Oops\b)[^\n]*)", console)
    return f"the kernel stopped: {panic[1]}" if panic else why


def part(console: str, name: str) -> str:
    """What was on the console while this case ran."""
    at = console.rfind(f"---- {name}\n")
    if at < 0:
        return console
    text = console[at:].split("\n", 1)[1]
    following = re.search(r"(?m)^---- \w+$", text)
    return (text[:following.start()] if following else text).strip("\n")


def boots(tests: list[Test]) -> list[tuple[int, int]]:
    """Which tests have a machine in common: from, and up to but without."""
    cuts = sorted({0, len(tests), *(edge for i, test in enumerate(tests) if test.alone for edge in (i, i + 1))})
    return list(zip(cuts, cuts[1:]))


class Run:
    """The tests of one submission, on as many machines as it takes."""

    def __init__(self, result: Result, kernel: Path, work: Path, key: tuple[int, int], progress) -> None:
        self.result, self.lab, self.kernel, self.work, self.key, self.progress = result, result.lab, kernel, work, key, progress
        self.program, self.image = labtest_image(self.lab, work, key)
        self.verdicts, self.disk = Verdicts(key), work / "verdicts.img"

    def all(self) -> None:
        logs, paths.LOGS = paths.LOGS, self.work / "logs"
        try:
            for first, end in boots(self.lab.tests):
                while first is not None and first < end:
                    first = self.boot(first, end)
                if first is None:
                    return
        finally:
            paths.LOGS = logs

    def boot(self, first: int, end: int) -> int | None:
        """One machine: which test is to be next, if any."""
        total, tests, began = len(self.lab.tests), self.lab.tests, time.monotonic()
        self.disk.write_bytes(bytes(max(65536, 1024 * total)))
        extra, drives, test = list(self.lab.machine["extra"]), [self.image, self.disk], tests[first]
        seed = self.key[0] & 0xffffff  # as labs/judge.c has it
        if test.disk:
            drives.append(disks.make(self.lab.folder / test.disk, self.work, seed))
        if test.gdb:
            extra += gdbside.options(self.work)
        append = f"panic=-1 {self.lab.machine['append']} init=/bin/labtest -- {first} {max(1, math.ceil(speed.factor()))} {end}"
        with Machine(disks=drives, kernel=self.kernel, append=append, name=f"lab-{self.lab.name}", smp=self.lab.machine["smp"],
                     mem=self.lab.machine["mem"], extra=extra) as m:
            debugger = gdbside.Debugger(self.lab.folder / test.gdb, self.program, self.work, seed) if test.gdb else None
            try:
                why = watch(m, self.lab, self.verdicts, first)
                said = debugger.said() if debugger else ""
            finally:
                if debugger:
                    debugger.close()
            if test.disk and not said:
                said = disks.judge(self.lab.folder / test.disk, m.disks[2], self.work, seed)
            m._log_file.flush()
            console = m.text()[-CONSOLE_LIMIT:]
        self.result.logs[m.log.name] = console
        stopped = next((i for i in range(first, end) if i not in self.verdicts.ended), end)
        for i in range(first, end):
            self.note(i, stopped, why, console, (time.monotonic() - began) / max(1, stopped - first + 1))
        if said and self.result.outcomes[first].passed:
            self.result.outcomes[first].passed, self.result.outcomes[first].why = False, said
        if self.progress:
            self.progress(f"{self.lab.name}: {min(stopped, total)} of {total} tests, {self.result.score:g} points")
        if stopped == first and first not in self.verdicts.began:
            for outcome in self.result.outcomes[first:]:
                outcome.why = f"the kernel does not get as far as the tests: {reason(why, console)}"
                outcome.console = console
            return None
        return stopped + 1 if stopped in self.verdicts.began else stopped

    def note(self, i: int, stopped: int, why: str, console: str, seconds: float) -> None:
        outcome = self.result.outcomes[i]
        outcome.console, outcome.seconds = part(console, outcome.test.name), seconds
        if i in self.verdicts.ended:
            code, said = self.verdicts.ended[i]
            outcome.why, outcome.passed = said.strip("; "), code == 0
        elif i == stopped and i in self.verdicts.began:
            outcome.why = reason(why, outcome.console)
        else:
            outcome.console = ""


def grade(lab: Lab, tree: Path, *, fresh: bool = False, only: list[str] | None = None, say=None, base: Path = TOP,
          keep: Path | None = None) -> Result:
    """What this tree is worth. Writes nothing there. base: a tree of ours, built, that it may be like; see kernel_tree. keep: where
    the kernel is to be left."""
    if only:
        lab.tests = [test for test in lab.tests if test.name in only]
    if any(test.gdb for test in lab.tests) and not paths.gdb():
        raise GraderError("a test needs a gdb for riscv64, and there is none: make setup")
    result = Result(lab, tree, [Outcome(test) for test in lab.tests])
    work = Path(tempfile.mkdtemp(prefix="xv39-lab-"))
    try:
        key = struct.unpack("<QQ", os.urandom(16))
        sources, result.notes = kernel_tree(tree, work / "kernel", fresh, base)
        if say:
            say(f"{lab.name}: building the kernel")
        result.built, result.build_output = make(work / "kernel", "kernel") if sources else (False, "there is nothing to build\n")
        if lab.theirs and result.built:
            result.built, said = apart_program(lab, tree, work)
            result.build_output += said
        result.build_output = result.build_output.replace(str(work), "")
        result.warnings = len(re.findall(r"(?m)^\S+: warning:", result.build_output))
        if not result.built:
            for outcome in result.outcomes:
                outcome.why = "it does not build"
            return result
        kernel = work / "xv39"
        shutil.move(work / "kernel/kernel/kernel", kernel)
        shutil.rmtree(work / "kernel")
        if keep:
            shutil.copyfile(kernel, keep)
        if say:
            say(f"{lab.name}: building the tests")
        Run(result, kernel, work, key, say).all()
        return result
    finally:
        shutil.rmtree(work, ignore_errors=True)


# ---- variants of the reference, for the tests of the labs

def variant(lab: Lab, name: str, out: Path) -> None:
    """The reference with the lab's solution and, unless the name is `solution`, one of its wrong ones. Its objects come along."""
    known = {wrong.name: wrong.edits for wrong in lab.wrong} | {"solution": []}
    if name not in known:
        raise GraderError(f"lab {lab.name} knows {', '.join(known)}")
    handout.copy(out, handout.WANTED)
    handout.edit(out, lab.solution)
    handout.edit(out, known[name])
    if (TOP / "build/obj/kernel").is_dir():
        shutil.copytree(TOP / "build/obj/kernel", out / "build/obj/kernel", copy_function=shutil.copy2)
