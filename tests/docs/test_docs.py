"""The book: every relative link leads somewhere, and every excerpt that names a file is in that file, word for word.

An excerpt is a fenced block whose first line says where it is from; differences of white space do not count:

    ```c file=kernel/mm/page.c function=buddy_of

Without function= the excerpt may be anywhere in the file.
"""
from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = [page for page in [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))] if page.exists()]

FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"(?m)^#{1,6} +(.+?) *#*$")
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:")  # https:, mailto:


def name(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


def prose(page: Path) -> str:
    """The text without fenced blocks and code spans, where brackets mean something else."""
    return re.sub(r"`[^`\n]*`", "`", FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The headings as GitHub makes anchors of them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number, unique = 0, anchor
        while unique in found:
            number += 1
            unique = f"{anchor}-{number}"
        found.add(unique)
    return found


def links(page: Path) -> list[str]:
    return [link for link in LINK.findall(prose(page)) if not OUTSIDE.match(link)]


def excerpts() -> list:
    found = []
    for page in PAGES:
        for match in FENCE.finditer(page.read_text()):
            where = dict(word.split("=", 1) for word in match["info"].split() if "=" in word)
            if "file" in where:
                label = f"{page.stem}:{where.get('function', Path(where['file']).name)}"
                found.append(pytest.param(where["file"], where.get("function"), match["text"], id=label))
    return found


def words(text: str) -> str:
    return " ".join(text.split())


def bodies(source: str, path: Path, function: str) -> list[str]:
    """The definitions of the function: several if the file has alternatives between #if and #else."""
    if path.suffix == ".S":
        return re.findall(rf"(?ms)^{function}:.*?(?=^\s*\.globl\b|^[A-Za-z_]\w*:|\Z)", source)
    start = re.compile(rf"(?m)^(?=[A-Za-z_])[^;{{}}\n=]*\b{function}\([^;{{}}]*\)\s*\{{")
    return [source[match.start():end_of_block(source, match.end())] for match in start.finditer(source)]


def end_of_block(source: str, at: int) -> int:
    """The place after the brace that closes the block whose inside begins at `at`."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(source, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(source)


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
    path = TOP / file
    assert path.is_file(), f"there is no {file}"
    source = path.read_text()
    assert words(text), "an empty excerpt"
    if function is None:
        assert words(text) in words(source), f"not in {file}:\n{text}"
        return
    found = bodies(source, path, function)
    assert found, f"{file} has no function {function}"
    assert any(words(text) in words(body) for body in found), f"not in {function} of {file}:\n{text}"


def test_every_fence_is_closed():
    for page in PAGES:
        left = FENCE.sub("", page.read_text())
        assert "```" not in left, f"{name(page)}: a fence without an end"


def test_every_chapter_is_in_the_index():
    index = TOP / "docs/README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    missing = [name(page) for page in PAGES if page.parent == index.parent and page != index and page not in listed]
    assert not missing, f"docs/README.md does not name {missing}"


def test_figures_are_used_and_stand_alone():
    """Every picture appears in some chapter, and needs nothing from elsewhere: it must be readable as a file."""
    used = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    for figure in sorted((TOP / "docs/img").glob("*.svg")):
        text = figure.read_text()
        assert figure in used, f"{name(figure)} is in no chapter"
        assert "prefers-color-scheme: dark" in text, f"{name(figure)} has no colours for a dark page"
        assert not re.search(r"href=|@import|url\(|<script", text), f"{name(figure)} refers to something outside"


def test_the_check_finds_a_wrong_excerpt():
    """The check itself: a word changed, or a line of another function, is found."""
    source = "static int one(void) { return 1; }\nint two(int a) {\n    if (a) {\n        a = 3;\n    }\n    return a;\n}\n"
    path = Path("x.c")
    assert bodies(source, path, "one") == ["static int one(void) { return 1; }"]
    assert words("if (a) { a = 3; } return a;") in words(bodies(source, path, "two")[0])
    assert "return 1" not in bodies(source, path, "two")[0]
    assert not bodies(source, path, "three")
    assembly = "first:\n    nop\n    .globl second\nsecond:\n    ret\n"
    assert "ret" not in bodies(assembly, Path("x.S"), "first")[0]
    assert "ret" in bodies(assembly, Path("x.S"), "second")[0]
