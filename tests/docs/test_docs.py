"""The book's text: every relative link leads somewhere, and every excerpt that names a file is in that file, word for word.

How an excerpt is written and found: tools/book/excerpts.py, by which the book is made too.
"""
from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/book"))
from excerpts import FENCE, Missing, anchors, chapters, excerpt, links, pages, place  # noqa: E402

PAGES = pages()


def name(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


def excerpts() -> list:
    found = []
    for page in PAGES:
        for match in FENCE.finditer(page.read_text()):
            if where := place(match["info"]):
                label = f"{page.stem}:{where[1] or Path(where[0]).name}"
                found.append(pytest.param(*where, match["text"], id=label))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page):
    for link in links(page):
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{name(page)}: {link}: there is no {target}"
        assert file.is_relative_to(TOP), f"{name(page)}: {link} leads out of the tree"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{name(page)}: {link}: no such heading; there are {sorted(anchors(file))}"


@pytest.mark.parametrize("file,function,text", excerpts())
def test_excerpt_is_in_the_source(file, function, text):
    assert excerpt(file, function, text).split() == text.split()


# ---- names: what prose and drawings call by name is still called so

NAME = re.compile(r"(?<![\w./-])[A-Za-z][A-Za-z0-9]*_\w*[A-Za-z0-9]\b(?!\(\))")
FILE = re.compile(r"(?<![\w./-])(?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:c|h|S|py|def)\b")
OF_OTHERS = set("""POPULATE_READ POPULATE_WRITE sched_getcpu SYS_rseq GLIBC_TUNABLES syscall_293 wait_lock virtio_disk
                   condition_wait_until semaphore_wait semaphore_post TRACE_MINE sys_freemem room_verb
                   kernel/types.h kernel/stat.h""".split())  # of C libraries, of xv6, of exercises


@pytest.fixture(scope="module")
def vocabulary() -> set[str]:
    """Every identifier of the tree, and its files' names without suffix."""
    found = set()
    for room in ("kernel", "user", "tests", "tools", "mkfs", "labs"):
        for file in (TOP / room).rglob("*"):
            if {"logs", "docs"} & set(file.parts) or file.suffix not in {".c", ".h", ".S", ".def", ".py", ".ld", ".toml", ""} or not file.is_file():
                continue
            found.add(file.stem)
            if file.stat().st_size < 1 << 20:
                found |= set(re.findall(r"[A-Za-z_]\w*", file.read_text(errors="replace")))
    return found


@pytest.mark.parametrize("page", [*PAGES, *sorted((TOP / "docs/drawings").glob("*.draw"))], ids=name)
def test_names_are_in_the_source(page, vocabulary):
    text = page.read_text()
    if page.suffix == ".md":
        text = "\n".join(re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))
    lost = set(NAME.findall(FILE.sub("", text))) - vocabulary
    lost |= {file for file in FILE.findall(text) if not any((TOP / root / file).exists() for root in ("", "kernel", "kernel/include"))}
    assert lost <= OF_OTHERS, f"{name(page)}: {sorted(lost - OF_OTHERS)} is nowhere in the tree"


def test_the_check_of_names_finds_a_wrong_one():
    assert NAME.findall("trap_entry, `x`, vm_fault(a) xv6_name() WORK_SIGNAL a/b_c.d") == ["trap_entry", "vm_fault", "WORK_SIGNAL"]
    assert FILE.findall("mm/fault.c fault.c fs/ext/map.c x/8i") == ["mm/fault.c", "fs/ext/map.c"]


def test_every_fence_is_closed():
    for page in PAGES:
        left = FENCE.sub("", page.read_text())
        assert "```" not in left, f"{name(page)}: a fence without an end"


def test_every_chapter_is_in_the_index():
    missing = [name(page) for page in PAGES if page.parent == TOP / "docs" and page not in chapters()]
    assert not missing, f"docs/README.md does not name {missing}"


def test_exercises_point_at_labs():
    """Each chapter's exercises end with the labs that are about it, and these exist."""
    for page in chapters():
        text = page.read_text().partition("\n## Try it")[2].partition("\n## ")[0]
        if page.stem in ("README", "from-xv6", "labs"):
            continue
        last = text.strip().split("\n\n")[-1]
        assert last.startswith("**As an assignment**") and "(labs.md)" in last, name(page)
        named = {word for word in re.findall(r"`([a-z0-9-]+)`", last)}
        assert all((TOP / "labs" / lab / "lab.toml").exists() for lab in named), f"{name(page)}: {named}"


def test_figures_are_used_and_stand_alone():
    """Every picture appears in some chapter, and needs nothing from elsewhere: it must be readable as a file."""
    used = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    for figure in sorted((TOP / "docs/img").glob("*.svg")):
        text = figure.read_text()
        assert figure in used, f"{name(figure)} is in no chapter"
        assert "prefers-color-scheme: dark" in text, f"{name(figure)} has no colours for a dark page"
        assert not re.search(r"href=|@import|url\(|<script", text), f"{name(figure)} refers to something outside"


def test_the_check_finds_a_wrong_excerpt(tmp_path):
    """The check itself: a word changed, or a line of another function, is found; lines come as the source has them."""
    (tmp_path / "x.c").write_text("static int one(void) { return 1; }\nint two(int a) {\n    if (a) {\n        a = 3;\n    }\n    return a;\n}\n")
    (tmp_path / "x.S").write_text("first:\n    nop\n    .globl second\nsecond:\n    ret\n")

    def found(file: str, function: str | None, text: str) -> str | None:
        try:
            return excerpt(file, function, text, tmp_path)
        except Missing:
            return None

    assert found("x.c", "one", "static int one(void) { return 1; }")
    assert found("x.c", "two", "if (a) { a = 3; } return a;") == "if (a) {\n    a = 3;\n}\nreturn a;\n"
    assert found("x.c", None, "int two(int a) {")
    for wrong in [("x.c", "two", "if (b) {"), ("x.c", "two", "return 1;"), ("x.c", "three", "return a;"), ("x.c", "two", "eturn a;"),
                  ("x.c", "two", " "), ("y.c", None, "nop"), ("x.S", "first", "ret")]:
        assert found(*wrong) is None, wrong
    assert found("x.S", "second", "ret") and found("x.S", "first", "nop")


def test_costs_are_those_of_the_baseline(monkeypatch):
    """`make bench BASELINE=write` makes both: the table and the picture of docs/ipc.md."""
    monkeypatch.syspath_prepend(str(TOP / "tests/bench"))
    import bench
    import plot
    figures, linux = json.loads(bench.BASELINE.read_text()), bench.linux_figures()
    text = (TOP / "docs/ipc.md").read_text()
    assert plot.table(text, figures, linux) == text
    assert plot.table(text, {"ipc.pipe_rt": 1.0}, linux) != text
    assert plot.picture(figures, linux) == (TOP / "docs/img/costs.svg").read_text()
