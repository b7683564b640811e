"""What the book says is in the source: blocks of code that name a file, links, headings. For tools/book/build and tests/docs.

An excerpt is a fenced block whose first line says where it is from; differences of white space do not count:

    ```c file=kernel/mm/page.c function=buddy_of

Without function= it may be anywhere in the file. The book prints the lines as the source has them when it is built.
"""
from __future__ import annotations

import re
import textwrap
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"(?m)^#{1,6} +(.+?) *#*$")
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:")  # https:, mailto:


class Missing(Exception):
    """The source has no such file, function or lines."""


def pages() -> list[Path]:
    """Everything that is written for readers: the files at the top, and the book."""
    return [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").rglob("*.md"))]


def chapters() -> list[Path]:
    """The book's chapters in the reading order that docs/README.md gives, itself first."""
    index = TOP / "docs/README.md"
    found = [index]
    for link in links(index):
        path = (index.parent / link.partition("#")[0]).resolve()
        if path.suffix == ".md" and path.parent == index.parent and path not in found:
            found.append(path)
    return found


def prose(text: str) -> str:
    """The text without fenced blocks and code spans, where brackets mean something else."""
    return re.sub(r"`[^`\n]*`", "`", FENCE.sub("", text))


def links(page: Path) -> list[str]:
    return [link for link in LINK.findall(prose(page.read_text())) if not OUTSIDE.match(link)]


def anchor(heading: str, taken: set[str]) -> str:
    """The heading, as Markdown's or as plain text, as GitHub makes an anchor of it; it is taken from now on."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    base = unique = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
    number = 0
    while unique in taken:
        number += 1
        unique = f"{base}-{number}"
    taken.add(unique)
    return unique


def anchors(page: Path) -> set[str]:
    taken: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        anchor(heading, taken)
    return taken


def place(info: str) -> tuple[str, str | None] | None:
    """File and function that a fence's first line names, or None: it is no excerpt."""
    where = dict(word.split("=", 1) for word in info.split() if "=" in word)
    return (where["file"], where.get("function")) if "file" in where else None


def end_of_block(source: str, at: int) -> int:
    """The place after the brace that closes the block whose inside begins at `at`."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(source, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(source)


def bodies(source: str, path: Path, function: str) -> list[str]:
    """The definitions of the function: several if the file has alternatives between #if and #else."""
    if path.suffix == ".S":
        return re.findall(rf"(?ms)^{function}:.*?(?=^\s*\.globl\b|^[A-Za-z_]\w*:|\Z)", source)
    start = re.compile(rf"(?m)^(?=[A-Za-z_])[^;{{}}\n=]*\b{function}\([^;{{}}]*\)\s*\{{")
    return [source[match.start():end_of_block(source, match.end())] for match in start.finditer(source)]


def excerpt(file: str, function: str | None, text: str, top: Path = TOP) -> str:
    """The lines of the source that the text stands for, as they are there; Missing if there are none."""
    path = top / file
    if not path.is_file():
        raise Missing(f"there is no {file}")
    source = path.read_text()
    if not text.split():
        raise Missing(f"an empty excerpt of {file}")
    places = [source] if function is None else bodies(source, path, function)
    if not places:
        raise Missing(f"{file} has no function {function}")
    wanted = re.compile(r"[ \t]*" + r"\s+".join(map(re.escape, text.split())) + r"(?!\S)")
    for body in places:
        for match in wanted.finditer(body):
            if match.start() == 0 or body[match.start() - 1].isspace():
                return textwrap.dedent(match[0]) + "\n"
    raise Missing(f"not in {function or 'the text'} of {file}:\n{text}")
