"""What a lab is: labs/NAME/lab.toml, its README.md and its tests. docs/labs.md says what lab.toml may hold.

Parameters are what changes from term to term. Each is chosen by the seed; `@NAME@` in lab.toml, the README and the tests stands for it,
and the tests find it in lab.h as well.
"""
from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LABS = TOP / "labs"


class LabError(Exception):
    """The lab's folder, or what was asked for, is wrong."""


@dataclass(frozen=True)
class Test:
    name: str
    points: float
    title: str
    hidden: bool = False
    limit: int = 30  # seconds that the case has inside, on a machine of the usual speed
    gdb: str = ""    # a script of the lab's folder that looks on in a debugger; see gdbside.py
    disk: str = ""   # one that makes a disk and looks at it afterwards; see disks.py

    @property
    def alone(self) -> bool:
        """It has a machine of its own."""
        return bool(self.gdb or self.disk)


@dataclass(frozen=True)
class Wrong:
    """A plausible mistake: `loses` are the tests that must notice it."""
    name: str
    why: str
    loses: list[str]
    edits: list[dict]


@dataclass
class Lab:
    name: str
    folder: Path
    seed: str
    title: str
    tests: list[Test]
    parameters: dict[str, int | str] = field(default_factory=dict)
    remove: list[dict] = field(default_factory=list)    # reference -> handout
    solution: list[dict] = field(default_factory=list)  # reference -> full marks; mostly nothing
    wrong: list[Wrong] = field(default_factory=list)    # (reference with solution) -> a wrong one
    term: dict = field(default_factory=dict)            # `parameters` that a solution is made for, `tests` of which it else loses some
    breaks: list[str] = field(default_factory=list)     # what else fails in the handout: patterns of usertests
    headers: list[str] = field(default_factory=list)    # of labs/ itself: what its tests share with those of other labs
    cases: list[str] = field(default_factory=list)      # files of user/usertests that have tests of this lab
    apart_cases: list[str] = field(default_factory=list)  # the same, of those that call what students wrote for programs
    theirs: list[str] = field(default_factory=list)     # what students write outside kernel/: sources of the programs' library
    machine: dict = field(default_factory=dict)         # smp, mem, append, extra (of QEMU)

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)

    def asks_the_same(self, other: Lab) -> bool:
        """Would a solution for the other term do for this one?"""
        return all(self.parameters[name] == other.parameters[name] for name in self.term["parameters"])

    def fill(self, text: str) -> str:
        """The text with the parameters in place."""
        def value(match: re.Match) -> str:
            if match[1] not in self.parameters:
                raise LabError(f"lab {self.name}: there is no parameter {match[1]}")
            return str(self.parameters[match[1]])
        return re.sub(r"@([A-Z][A-Z0-9_]*)@", value, text)

    def files(self, hidden: bool = True, apart: bool | None = None) -> list[Path]:
        """The C files with its own tests. Those in apart.c and hidden_apart.c call what students wrote for programs: apart=True are
        these and headers, apart=False all others."""
        of_labs = [self.folder.parent / name for name in self.headers]
        return [path for path in [*sorted(self.folder.glob("*.[ch]")), *of_labs] if (hidden or not path.name.startswith("hidden"))
                and (apart is None or path.suffix == ".h" or path.stem.endswith("apart") == apart)]

    def scripts(self, hidden: bool = True) -> list[Path]:
        """What its tests do on the host."""
        return [path for path in sorted(self.folder.glob("*.py")) if hidden or not path.name.startswith("hidden")]

    def header(self) -> str:
        """lab.h: the parameters, for C."""
        lines = [f"#define {k} {v}" for k, v in ({"LAB_HARTS": self.machine["smp"]} | self.parameters).items()]
        return "\n".join([f"/* Parameters of lab {self.name}, seed {self.seed or 'none'}. */", *lines]) + "\n"


def choose(lab: str, seed: str, name: str, how) -> int | str:
    """A parameter: a value, { choice = […] } or { range = [low, high], step = n, not = […] }. Without a seed the first one."""
    if not isinstance(how, dict):
        return how
    values = how.get("choice") or list(range(how["range"][0], how["range"][1] + 1, how.get("step", 1)))
    return random.Random(f"{lab}/{seed}/{name}").choice(values) if seed else values[0]


def names() -> list[str]:
    return sorted(path.parent.name for path in LABS.glob("*/lab.toml"))


def load(name: str, seed: str = "", labs: Path = LABS) -> Lab:
    folder = labs / name
    path = folder / "lab.toml"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.exists():
        raise LabError(f"there is no lab {name!r}; there are {', '.join(names())}")
    text = path.read_text()
    rough = tomllib.loads(text)
    seed = seed or rough.get("seed", "")
    lab = Lab(name, folder, seed, rough["title"], [], parameters={
        key: choose(name, seed, key, how) for key, how in rough.get("parameters", {}).items()})
    exact = tomllib.loads(lab.fill(text))
    lab.tests = [Test(**test) for test in exact["test"]]
    lab.wrong = [Wrong(w["name"], w["why"], w["loses"], w["edit"]) for w in exact.get("wrong", [])]
    for key in ("remove", "solution", "breaks", "headers", "cases", "apart_cases", "theirs"):
        setattr(lab, key, exact.get(key, []))
    lab.term = exact.get("term", {"parameters": [], "tests": []})
    lab.machine = {"smp": 2, "mem": "128M", "append": "", "extra": []} | exact.get("machine", {})
    if len({test.name for test in lab.tests}) != len(lab.tests):
        raise LabError(f"lab {name}: a test is named twice")
    if missing := [name for name in lab.headers if not (labs / name).exists()]:
        raise LabError(f"lab {name}: there is no labs/{missing[0]}")
    for test in lab.tests:
        if missing := [script for script in (test.gdb, test.disk) if script and not (folder / script).exists()]:
            raise LabError(f"lab {name}: {test.name}: there is no {missing[0]}")
    return lab


def public_toml(lab: Lab) -> str:
    """lab.toml as students get it: what is tested and for how much, but neither the hidden tests nor what was taken out."""
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def value(v) -> str:
        if isinstance(v, list):
            return "[" + ", ".join(map(value, v)) + "]"
        return quoted(v) if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else str(v)

    hidden = sum(test.points for test in lab.tests if test.hidden)
    lines = [f"# {hidden:g} of {lab.points:g} points are for tests that are not in here.", f"title = {quoted(lab.title)}",
             f"seed = {quoted(lab.seed)}", f"cases = {value(lab.cases)}",
             f"apart_cases = {value(lab.apart_cases)}", f"theirs = {value(lab.theirs)}", "", "[machine]",
             *(f"{k} = {value(v)}" for k, v in lab.machine.items()), "", "[parameters]",
             *(f"{k} = {value(v)}" for k, v in lab.parameters.items())]
    for test in lab.tests:
        if not test.hidden:
            lines += ["", "[[test]]", *(f"{k} = {value(getattr(test, k))}" for k in ("name", "points", "title", "limit", "gdb", "disk") if getattr(test, k))]
    return "\n".join(lines) + "\n"
