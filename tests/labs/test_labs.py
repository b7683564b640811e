"""D3: the labs. For each: the handout builds without warnings, boots, gets less than 30 % and fails only what the lab is about; the
solution gets all points; each wrong one loses those that it should. And submissions that are after the grader.

Without --slow only what is quick: lab files that name what is in the source, handouts, the scanner, reports, and one lab's solution.
"""
from __future__ import annotations

import base64
import fnmatch
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from xv39 import paths, speed

sys.path.insert(0, str(paths.TOP / "tools"))
from labkit import disks, grade, handout, outputs, source, spec  # noqa: E402

LABS = spec.names()
each_lab = pytest.mark.parametrize("name", LABS)


def grouped(*what, name: str, slow: bool = True):
    """What `make test-labs` has one worker do, since it has a tree built: all that is about one lab."""
    return pytest.param(*what, marks=[pytest.mark.xdist_group(name), *([pytest.mark.slow] if slow else [])])


each_slow_lab = pytest.mark.parametrize("name", [grouped(n, name=n) for n in LABS])
each_wrong = pytest.mark.parametrize("name, wrong", [grouped(n, w.name, name=n) for n in LABS for w in spec.load(n).wrong])


def names(outcomes, passed: bool) -> set[str]:
    return {outcome.test.name for outcome in outcomes if outcome.passed == passed}


# ---- the scanner

TRICKY = """
#define OPEN {        /* a brace that is none */
#define LONG(x) \\
    { x
static const char *text = "} not the end {", c = '{';
// } neither this
struct first {
    int a;  // one
    char text[4];  /* { */
    struct { int inner; } b;
};
LIMIT(one, 2)

/* What it does. */
static long __attribute__((noinline)) plain(const char *s)
{
    if (*s == '"' || *s == '{') { return 1; }
    return strlen("\\"}");
}
void *(memset)(void *d, int c, unsigned n) { return d; }
static void (*handler(int sig))(int) { return 0; }
int table[] = {1, 2, 3}, other(void);
static const struct first value = {.a = sizeof("}"), .b = {1}};
static inline int last(void) { return table[0]; }
"""


def test_D3_scanner_finds_definitions():
    found = {d.name: d for d in source.definitions(TRICKY)}
    assert list(found) == ["struct first", "plain", "memset", "handler", "last"]
    assert TRICKY[found["plain"].start:].startswith("/* What it does. */")
    assert TRICKY[found["plain"].end - 3:found["plain"].end] == ";\n}"


def test_D3_scanner_agrees_with_ctags():
    """Every function of the kernel; ctags misses some that have a macro in front, or their name in parentheses."""
    if not shutil.which("ctags"):
        pytest.skip("no ctags")
    for path in sorted((paths.TOP / "kernel").rglob("*.c")):
        said = paths.run("ctags", "-x", "--c-kinds=f", "--language-force=C", path).stdout
        theirs = {line.split()[0] for line in said.splitlines()} - {"IPC_LIMIT", "size_t"}
        assert theirs <= {d.name for d in source.definitions(path.read_text())}, path


def test_D3_edits():
    def edited(**edit) -> str:
        return source.changed(TRICKY, {"file": "x.c"} | edit, "x.c")

    assert "plain(const char *s)\n{\n    return 2;\n}\n" in edited(function="plain", body="return 2;")
    assert "plain" not in edited(function="plain", drop=True) and "What it does" not in edited(function="plain", drop=True)
    assert "char text" not in edited(struct="first", member="text") and "int a;  // one\n" in edited(struct="first", member="text")
    assert "other" not in edited(declaration="other")
    assert "return 3;" in edited(function="last", old="table[0]", new="3")
    assert edited(append="int more;").endswith("}\n\nint more;\n")
    for wrong in ({"function": "nobody", "drop": True}, {"function": "plain", "old": "nothing", "new": ""},
                  {"struct": "first", "member": "z"}, {"old": "static", "new": ""}, {"function": "plain", "boddy": ""}):
        with pytest.raises(source.EditError):
            edited(**wrong)


# ---- the labs' files

@each_lab
def test_D3_lab_is_well_formed(name, tmp_path):
    """For several seeds: 100 points, the README without gaps, and all edits find what they name."""
    for seed in ("", "spring", "fall"):
        lab = spec.load(name, seed)
        assert lab.points == 100 and len(lab.wrong) >= 2
        assert any(test.hidden for test in lab.tests) and any(not test.hidden for test in lab.tests)
        lab.fill((lab.folder / "README.md").read_text())
        known = {test.name for test in lab.tests}
        for wrong in lab.wrong:
            assert set(wrong.loses) <= known and wrong.loses, wrong.name
        for number, edits in enumerate([lab.remove, *([*lab.solution, *wrong.edits] for wrong in lab.wrong)]):
            tree = tmp_path / f"{seed}{number}"
            handout.copy(tree, tuple({edit["file"] for edit in edits}))
            handout.edit(tree, edits)


@each_lab
def test_D3_tests_compile(name, tmp_path):
    """Without warnings, with any term's parameters."""
    for seed in ("", "spring"):
        lab, tree = spec.load(name, seed), tmp_path / f"tree{seed}"
        grade.user_tree(tree)
        for main, apart in [("labs/judge.c", False), *([("labs/apart.c", True)] if lab.theirs else [])]:
            grade.add_cases(lab, tree, main, apart)
            grade.write_table(lab, tree)
            paths.run(paths.kernel_gcc(), "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-march=rv64gc", "-mabi=lp64d",
                      "-fsyntax-only", "-Iuser/xv6", "-I.", "-Ikernel/include", *sorted(tree.glob("user/labtest/[a-tv-z]*.c")), cwd=tree)
            shutil.rmtree(tree / "user/labtest")


@each_lab
def test_D3_handout_tells_nothing(name, tmp_path):
    """No hidden test, no solution and no list of what was removed; a history of one commit, the same each time."""
    lab, heads = spec.load(name, "spring"), []
    for place in ("a", "b"):
        out = tmp_path / place
        handout.make(lab, out)
        heads.append(paths.run("git", "-C", out, "rev-parse", "HEAD").stdout)
        assert paths.run("git", "-C", out, "rev-list", "--count", "HEAD").stdout.strip() == "1"
        assert not paths.run("git", "-C", out, "status", "--porcelain").stdout
    assert heads[0] == heads[1]
    assert [p.name for p in (out / "labs").glob("*/")] == [name]
    given = spec.load(name, labs=out / "labs")
    assert {test.name for test in given.tests} == {test.name for test in lab.tests if not test.hidden}
    assert given.parameters == lab.parameters and given.seed == "spring"
    assert not set(tomllib.loads((out / f"labs/{name}/lab.toml").read_text())) & {"remove", "solution", "wrong"}
    assert not list((out / "labs").rglob("hidden*")) and not (out / "tests/labs").exists()
    assert "@" not in re.sub(r"[\w.]+@[\w.]+", "", (out / "README.md").read_text())
    for change in lab.solution:
        if change["file"] in {removed["file"] for removed in lab.remove}:
            continue
        if "create" in change:
            assert not (out / change["file"]).exists()
            continue
        assert (out / change["file"]).read_bytes() == (paths.TOP / change["file"]).read_bytes()


@each_lab
def test_D3_term_is_said(name):
    """What changes from term to term is in the README, and graded."""
    lab = spec.load(name)
    assert set(lab.term["tests"]) <= {test.name for test in lab.tests}
    text = (lab.folder / "README.md").read_text()
    assert all(f"@{parameter}@" in text for parameter in lab.term["parameters"])


def test_D3_seeds_differ():
    chosen = {json.dumps(spec.load("syscall", f"term {n}").parameters) for n in range(20)}
    assert len(chosen) > 10


# ---- what a submission may bring

def tree_with(tmp_path: Path, more: dict[str, str]) -> Path:
    tree = tmp_path / "tree"
    handout.copy(tree, ("kernel", "Makefile"))
    for name, text in more.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def test_D3_only_plain_sources_are_taken(tmp_path):
    tree = tree_with(tmp_path, {
        "kernel/x;touch pwned;.c": "", "kernel/$(touch pwned).c": "", "kernel/kernel.ld": "INPUT(/etc/passwd)",
        "kernel/new.c": "int a;", "kernel/Makefile": "all:", "build/obj/kernel/x.d": "all: ; touch pwned",
        "Makefile": "$(shell touch pwned)", "tools/ksyms": "#!/bin/sh\ntouch pwned", "user/init.c": "", "tests/x.py": ""})
    (tree / "kernel/secret.h").symlink_to("/etc/passwd")
    (tree / "kernel/all").symlink_to("/etc")
    os.mkfifo(tree / "kernel/pipe.c")
    out = tmp_path / "out"
    notes = "\n".join(grade.kernel_tree(tree, out, fresh=True)[1])
    taken = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert "kernel/new.c" in taken
    assert not [name for name in taken for word in (";", "$", "secret", "kernel/pipe", "kernel/Makefile") if word in name]
    assert all(word in notes for word in ("touch pwned;", "$(touch", "secret.h", "kernel/all", "pipe.c"))
    for name in ("Makefile", "tools/ksyms", "kernel/kernel.ld"):
        assert (out / name).read_bytes() == (paths.TOP / name).read_bytes()
    assert not list(out.glob("build/obj/kernel/x.d"))


def test_D3_what_is_taken_of_programs(tmp_path):
    """A lab's `theirs`: a plain file, which is compiled where it sees no test."""
    lab, tree = spec.load("threads"), tree_with(tmp_path, {"elsewhere.c": "", "user/lib/x.c": ""})
    theirs = tree / lab.theirs[0]
    for step, change in enumerate((lambda: None, lambda: theirs.symlink_to(tree / "elsewhere.c"), lambda: (theirs.unlink(), theirs.mkdir()))):
        change()
        good, said = grade.apart_program(lab, tree, tmp_path / f"work{step}")
        assert not good and "not a plain file" in said
    theirs.rmdir()
    theirs.write_text('#include "user/labtest/hidden_apart.c"\n')
    (tmp_path / "work").mkdir()
    good, said = grade.apart_program(lab, tree, tmp_path / "work")
    assert not good and "No such file" in said and "mutex_lock" not in said, said


def test_D3_too_much_is_refused(tmp_path):
    tree = tree_with(tmp_path, {f"kernel/many/f{n}.c": "" for n in range(grade.MAX_FILES)})
    assert grade.submitted(tree)[0] == []
    assert grade.submitted(tmp_path / "nothing")[0] == []


def test_D3_verdicts_cannot_be_forged(tmp_path):
    """siphash's own test vector; and only records with the right key, at their own place, count."""
    key = struct.unpack("<QQ", bytes(range(16)))
    assert grade.siphash(key, bytes(range(15))) == 0xa129ca6149be45e5
    body = struct.pack("<III492s", 0, grade.ENDED, 0, b"well")
    good = struct.pack("<Q", grade.siphash(key, body[:503])) + body
    disk = tmp_path / "disk"

    def seen(*sectors: bytes) -> dict:
        disk.write_bytes(b"".join(sectors).ljust(4096, b"\0"))
        verdicts = grade.Verdicts(key)
        verdicts.read(disk, 4)
        return verdicts.ended

    assert seen(bytes(512), good) == {0: (0, "well")}
    assert seen(good) == {} and seen(bytes(1536), good) == {}  # another place: a replay
    assert seen(bytes(512), struct.pack("<Q", 1) + body) == {}
    assert seen(bytes(512), good[:20] + b"forged" + good[26:]) == {}


# ---- judges outside of the machine

def test_D3_who_has_a_machine_of_its_own():
    def cuts(kinds: str) -> list[tuple[int, int]]:
        return grade.boots([spec.Test(f"{n}", 1, "", gdb="x" * (kind == "g"), disk="x" * (kind == "d")) for n, kind in enumerate(kinds)])

    assert cuts("...") == [(0, 3)] and cuts("g") == [(0, 1)]
    assert cuts(".g..d") == [(0, 1), (1, 2), (2, 4), (4, 5)] and cuts("dg.") == [(0, 1), (1, 2), (2, 3)]


def test_D3_a_disk_is_judged(tmp_path):
    """By what debugfs reads and e2fsck says."""
    script = tmp_path / "x.py"
    script.write_text("def prepare(folder, seed):\n    (folder / 'a').write_bytes(b'%d' % seed)\n"
                      "def judge(disk, seed):\n    assert disk.names() == {'a'}, 'names'\n    assert disk.read('/a') == b'%d' % seed, 'another seed'\n")
    (tmp_path / "work").mkdir()
    image = disks.make(script, tmp_path / "work", 42)
    assert disks.judge(script, image, tmp_path, 42) == "" and disks.judge(script, image, tmp_path, 43) == "another seed"
    script.write_text("def judge(disk, seed):\n    disk.read('/b')\n")
    assert disks.judge(script, image, tmp_path, 42) == "there is no /b on the disk"
    paths.run("debugfs", "-w", "-R", "set_inode_field /a links_count 7", image)
    assert "e2fsck finds" in disks.judge(script, image, tmp_path, 42)


# ---- reports

def result_of(tmp_path, built=True) -> grade.Result:
    lab = spec.load("syscall")
    outcomes = [grade.Outcome(test, passed=number % 2 == 0, why="" if number % 2 == 0 else "because <&\x01>",
                              console="first\nlast \x1b[31mline]]>" if number % 2 else "") for number, test in enumerate(lab.tests)]
    return grade.Result(lab, tmp_path, outcomes, built=built, build_output="x.c:1: error: no\n", warnings=3, notes=["not taken: y"])


def test_D3_reports(tmp_path):
    result = result_of(tmp_path)
    half = sum(test.points for test in result.lab.tests[::2])
    outputs.write_all(result, tmp_path / "out")
    report = (tmp_path / "out/report.txt").read_text()
    assert f"Score: {half:g} of 100" in report and "because" in report and "| last" in report and "3 warnings" in report
    data = json.loads((tmp_path / "out/results.json").read_text())
    assert data["score"] == half and sum(test["max_score"] for test in data["tests"]) == 100
    assert {test["visibility"] for test in data["tests"]} == {"visible", "after_published"}
    room = json.loads(base64.b64decode((tmp_path / "out/classroom.txt").read_text()))
    assert room["max_score"] == 100 and sum(test["score"] for test in room["tests"]) == half and room["status"] == "fail"
    suite = xml.parse(tmp_path / "out/junit.xml").getroot()
    assert len(suite) == len(result.lab.tests) and len(suite.findall("*/failure")) == len(result.lab.tests) // 2
    assert "error: no" in outputs.text(result_of(tmp_path, built=False))


def test_D3_an_empty_submission(tmp_path):
    result = grade.grade(spec.load("cow"), tmp_path)
    assert result.score == 0 and not result.built
    assert "there is no folder kernel/" in outputs.text(result) and "nothing to build" in outputs.text(result)


# ---- the example files, with an empty submission: each is run as it stands, but for the places where things are

EXAMPLES = paths.TOP / "labs/examples"


def moved(tmp_path: Path, example: str, **places: str) -> str:
    text = (EXAMPLES / example).read_text()
    for place, here in places.items():
        assert place in text
        text = text.replace(place, here)
    (tmp_path / Path(example).name).write_text(text)
    return str(tmp_path / Path(example).name)


def test_D3_example_gradescope(tmp_path):
    for folder in ("submission", "results"):
        (tmp_path / "autograder" / folder).mkdir(parents=True)
    script = moved(tmp_path, "gradescope/run_autograder", **{"/autograder/source/xv39": str(paths.TOP),
                                                              "/autograder/": f"{tmp_path}/autograder/"})
    paths.run("sh", script)
    data = json.loads((tmp_path / "autograder/results/results.json").read_text())
    assert data["score"] == 0 and len(data["tests"]) == len(spec.load("cow").tests)
    setup = (EXAMPLES / "gradescope/setup.sh").read_text()
    assert all(package in setup for package in ("gcc-riscv64", "qemu-system", "opensbi", "e2fsprogs", "pexpect", "gdb-multiarch"))
    paths.run("sh", "-n", EXAMPLES / "gradescope/setup.sh")


def test_D3_example_classroom(tmp_path):
    """The step that grades, as a runner does it."""
    text = (EXAMPLES / "classroom/grade.yml").read_text()
    step = re.search(r"- id: lab\n +working-directory: reference\n +run: (.*)\n", text)[1]
    assert "${{ steps.lab.outputs.result }}" in text
    (tmp_path / "submission").mkdir()
    (tmp_path / "reference").symlink_to(paths.TOP)
    paths.run("sh", "-c", f"cd {tmp_path}/reference && {step.replace('../submission', str(tmp_path / 'submission'))}",
              env=os.environ | {"GITHUB_OUTPUT": str(tmp_path / "out")})
    name, _, value = (tmp_path / "out").read_text().strip().partition("=")
    assert name == "result" and json.loads(base64.b64decode(value))["max_score"] == 100


def test_D3_example_cluster(tmp_path):
    """Two jobs, then what the batch has come to."""
    for who in ("ann", "bob"):
        (tmp_path / who).mkdir()
    (tmp_path / "list").write_text(f"{tmp_path}/ann/\n{tmp_path}/bob/\n")
    script = moved(tmp_path, "cluster/grade.sbatch", **{"/course/xv39": str(paths.TOP)})
    for task, said in (("1", "1 of 2 are graded"), ("2", "2 of 2 are graded")):
        paths.run("sh", script, tmp_path / "list", tmp_path / "marks", env=os.environ | {"SLURM_ARRAY_TASK_ID": task})
        done = paths.run(sys.executable, EXAMPLES / "cluster/summary.py", tmp_path / "marks", tmp_path / "list")
        assert said in done.stderr, done.stderr
    assert [line.split(",")[:2] for line in done.stdout.splitlines()] == [["ann", "0"], ["bob", "0"]]


# ---- the labs themselves: slow

@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """solved(name): a tree with the solution, built; wrong ones are like it but for a file or two."""
    trees: dict[str, Path] = {}

    def tree(name: str) -> Path:
        if name not in trees:
            trees[name] = tmp_path_factory.mktemp("labs") / name
            grade.variant(spec.load(name), "solution", trees[name])
            good, said = grade.make(trees[name], "kernel")
            assert good and "warning:" not in said, said
        return trees[name]

    return tree


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """handed(name): what the handout's grading came to, and its kernel."""
    done: dict[str, tuple[grade.Result, Path]] = {}

    def graded(name: str) -> tuple[grade.Result, Path]:
        if name not in done:
            folder = tmp_path_factory.mktemp("handed")
            handout.make(spec.load(name), folder / "tree")
            done[name] = grade.grade(spec.load(name), folder / "tree", keep=folder / "kernel"), folder / "kernel"
        return done[name]

    return graded


@each_slow_lab
def test_D3_handout(name, handed):
    result, _ = handed(name)
    report = outputs.text(result)
    assert result.built and not result.warnings, result.build_output
    assert result.score < 30, report
    assert not [o for o in result.outcomes if "does not get as far" in o.why], report


@pytest.mark.slow
def test_D3_make_in_a_handout(tmp_path):
    """As an instructor and then a student type it: make lab here, make and make grade there."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    out = tmp_path / "handout"
    paths.run("make", "-s", "lab", "LAB=syscall", f"OUT={out}", "SEED=fall", cwd=paths.TOP, env=env)
    shutil.copytree(paths.TOP / "build/obj", out / "build/obj", copy_function=shutil.copy2)  # saves a minute
    paths.run("make", "-s", "-j2", "grade", cwd=out, env=env, timeout=1800)
    report = (out / "build/grade/report.txt").read_text()
    assert "seed fall" in report and "Score: 0 of 45" in report, report
    assert not paths.run("git", "-C", out, "status", "--porcelain").stdout


@each_slow_lab
def test_D3_handout_breaks_nothing_else(name, handed, shell):
    """It boots to a shell, and of the usertests only those fail that the lab names, which are few."""
    lab = spec.load(name)
    if not lab.remove:
        return
    m = shell(kernel=handed(name)[1], smp=2, mem="256M", append=lab.machine["append"])
    output = m.run(f"usertests -x {math.ceil(speed.factor())}", timeout=1200)[1]
    cases = re.findall(r"(?m)^(ok|FAIL|skip) (\w+)", output)
    of_lab = {case for pattern in lab.breaks for case in fnmatch.filter((case for _, case in cases), pattern)}
    others = [line for line in output.splitlines() if line.startswith("FAIL ") and re.split(r"\W+", line)[1] not in of_lab]
    assert re.search(r"(?m)^usertests: \d+ passed", output), f"usertests does not come to its end: {output[-1000:]}"
    assert not others, "\n".join(others)
    assert len(of_lab) < len(cases) / 5, "that is more than one lab"


@pytest.mark.parametrize("name", [grouped(n, name=n, slow=n != "msgq") for n in LABS])
def test_D3_solution(name, solved):
    result = grade.grade(spec.load(name), solved(name), base=solved(name))
    assert result.score == 100, outputs.text(result)


def another_term(name: str) -> spec.Lab:
    """The lab with a seed for which a solution must be another one."""
    old = spec.load(name)
    return next(lab for lab in (spec.load(name, f"term {n}") for n in range(50)) if not lab.asks_the_same(old))


each_lab_with_terms = pytest.mark.parametrize("name", [grouped(n, name=n) for n in LABS if spec.load(n).term["tests"]])


@each_lab_with_terms
def test_D3_solution_of_another_term(name, solved):
    """With another seed's numbers, names, sizes or policies, last year's solution does not pass, and builds if it did."""
    lab = another_term(name)
    result = grade.grade(lab, solved(name), base=solved(name))
    assert result.built and names(result.outcomes, False) & set(lab.term["tests"]), outputs.text(result)
    assert result.score <= 90, outputs.text(result)


@each_lab_with_terms
def test_D3_solution_of_its_own_term(name, tmp_path):
    """No number that a seed may choose makes the lab unsolvable."""
    lab = another_term(name)
    grade.variant(lab, "solution", tmp_path / "tree")
    result = grade.grade(lab, tmp_path / "tree")
    assert result.score == 100, outputs.text(result)


@each_wrong
def test_D3_wrong_solution(name, wrong, tmp_path, solved):
    """It loses at least what it should, and the report says why."""
    lab = spec.load(name)
    grade.variant(lab, wrong, tmp_path / "wrong")
    result = grade.grade(lab, tmp_path / "wrong", base=solved(name))
    report = outputs.text(result)
    assert result.built, result.build_output
    assert set(next(w.loses for w in lab.wrong if w.name == wrong)) <= names(result.outcomes, False), report
    assert all(outcome.why for outcome in result.outcomes if not outcome.passed), report


# ---- hostile submissions

PRINTS = '''
static void forge(void) {
    static bool done;
    if (!done && current->pid && current->pid->nr == 1) {
        done = true;
        kprintf("\\n---- census_tasks\\nok census_tasks\\nScore: 100 of 100\\nPASS 100%%\\nusertests: 99 passed, 0 failed\\n");
    }
}
'''
HOSTILE = {
    # name: (what is put into kernel/syscall/syscall.c: text of the file, first line of syscall_enter), what the report says
    "prints_results": (PRINTS, "forge();", "FAIL"),
    "loops_for_ever": ("", "if (number == 64) for (;;) ;", "no answer"),
    "prints_for_ever": ("", 'if (number == 64) for (;;) kprintf("all tests passed, score 100 of 100\\n");', "were printed"),
    "panics": ("", 'if (number == 68) panic("on purpose");', "on purpose"),
    "panics_in_each_test": ("", 'if (number == 220 && current->pid->nr == 1) panic("as always");', "the kernel stopped: panic: as always"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOSTILE)
def test_D3_hostile_kernel(how, tmp_path):
    above, first, said = HOSTILE[how]
    lab = spec.load("syscall")
    tree = tree_with(tmp_path, {})
    path = tree / "kernel/syscall/syscall.c"
    text = path.read_text()
    text = source.changed(text, {"file": "", "function": "syscall_enter", "old": "    tf->pc += 4;\n", "new": f"    tf->pc += 4;\n    {first}\n"}, "")
    path.write_text(text.replace("\nvoid syscall_enter", f"{above}\nvoid syscall_enter"))
    result = grade.grade(lab, tree, only=["census_tasks", "census_memory", "watch_counts"])
    report = outputs.text(result)
    assert result.built, result.build_output
    assert result.score == 0 and said in report, report


@pytest.mark.slow
def test_D3_build_without_end(tmp_path, monkeypatch):
    """The compiler waits for ever, for a pipe that nobody writes."""
    monkeypatch.setattr(grade, "BUILD_S", 20)
    os.mkfifo(tmp_path / "pipe")
    tree = tree_with(tmp_path, {})
    path = tree / "kernel/syscall/sys_misc.c"
    path.write_text(f'#include "{tmp_path}/pipe"\n' + path.read_text())
    result = grade.grade(spec.load("syscall"), tree)
    assert not result.built and "the build had not ended" in outputs.text(result)


@pytest.mark.slow
def test_D3_the_debugger_is_not_fooled(tmp_path):
    """A kernel with symbols of the judge's names and a script for gdb in it: they are not looked at."""
    pwned = tmp_path / "pwned"
    lab = spec.load("cow")
    grade.variant(lab, "solution", tmp_path / "tree")
    path = tmp_path / "tree/kernel/main.c"
    path.write_text(path.read_text() + f"""
void look(void);
void look(void) {{}}
asm(".pushsection .debug_gdb_scripts, \\"MS\\",@progbits,1\\n.byte 4\\n"
    ".asciz \\"python.x\\\\nopen('{pwned}', 'w')\\\\n\\"\\n.popsection");
""")
    result = grade.grade(lab, tmp_path / "tree", only=["seen_from_outside"])
    assert result.built, result.build_output
    assert result.outcomes[0].passed and not pwned.exists(), outputs.text(result)


@pytest.mark.slow
def test_D3_hostile_build(tmp_path):
    """A tree that is after the grader while it is built: nothing runs, nothing is written, the mark is what the kernel is worth."""
    pwned = tmp_path / "pwned"
    tree = tree_with(tmp_path, {
        "Makefile": f"$(shell touch {pwned})\nall:\n\ttouch {pwned}\n", "tools/ksyms": f"#!/bin/sh\ntouch {pwned}\n",
        f"kernel/;touch pwned;.c": "", "build/obj/kernel/main.c.d": f"kernel: ; touch {pwned}; kill -9 -1\n",
        "labs/judge.c": "int main(void) { return 0; }", "tests/xv39/machine.py": f"open('{pwned}', 'w')"})
    before = subprocess.run(["git", "status", "--porcelain"], cwd=paths.TOP, capture_output=True, text=True).stdout
    result = grade.grade(spec.load("syscall"), tree, only=["census_tasks"])
    assert result.built and result.score == 0 and not pwned.exists()
    assert before == subprocess.run(["git", "status", "--porcelain"], cwd=paths.TOP, capture_output=True, text=True).stdout
    assert "not taken" in outputs.text(result)


@pytest.mark.slow
@pytest.mark.parametrize("line", ["#error not today", "char fills_the_disk[1ul << 34] = {1};", '__asm__(".incbin \\"/dev/zero\\"");', '#include "/dev/zero"'])
def test_D3_does_not_build(line, tmp_path):
    tree = tree_with(tmp_path, {})
    path = tree / "kernel/syscall/syscall.c"
    path.write_text(path.read_text() + "\n" + line + "\n")
    result = grade.grade(spec.load("syscall"), tree)
    assert not result.built and result.score == 0 and "does not build" in outputs.text(result)
