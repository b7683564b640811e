"""Changing C sources by the names of functions and members, never by line.

The scanner knows as much of C as it takes to find definitions at file scope: it looks at a copy of the text in which comments,
strings, character constants and preprocessor lines are blanks, so that a brace is a brace.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


class EditError(Exception):
    """A lab names something that is not in the source, or is there twice."""


TOKEN = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
                   r"""|^[ \t]*\#(?:\\\n|/\*.*?\*/|//[^\n]*|[^\n])*""", re.S | re.M)


def blanked(text: str) -> str:
    """The text, each character in its place, without what is not code."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


@dataclass
class Definition:
    """A function or a struct: text[start:end] with the comment above it, text[open:end - 1] between the braces."""
    name: str
    start: int
    open: int
    end: int


def closing(code: str, at: int) -> int:
    """The place behind the bracket that closes the one at `at`."""
    depth = 0
    for match in re.compile(r"[][(){}]").finditer(code, at):
        depth += 1 if match[0] in "([{" else -1
        if depth == 0:
            return match.end()
    raise EditError("brackets do not match")


def name_of(head: str) -> str | None:
    """What is defined by a block that follows this text: a function, `struct NAME`, or None (an initializer …)."""
    head = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|(?<=\))\s*__\w+\s*\([^()]*\)\s*$", lambda m: " " * len(m[0]), head)
    tag = re.search(r"\b(struct|union|enum)\s+(\w+)\s*$", head)
    if tag:
        return f"{tag[1]} {tag[2]}"
    head = head.rstrip()
    if not head.endswith(")"):
        return None
    depth = 0
    for at in range(len(head) - 1, -1, -1):
        depth += (head[at] == ")") - (head[at] == "(")
        if depth == 0:
            # name(…), (name)(…), and (*name(…))(…), which returns a pointer to a function
            word = re.search(r"(\w+)\s*\)?\s*$", head[:at]) if not head[:at].rstrip().endswith("))") else \
                re.search(r"\(\s*\*\s*(\w+)\s*\(", head[:at])
            return word[1] if word and "=" not in head[:at] else None
    return None


def definitions(text: str) -> list[Definition]:
    code, found, at, begin = blanked(text), [], 0, 0
    for match in iter(lambda: re.compile(r"[;{(\[]").search(code, at), None):
        if match[0] == ";":
            at = begin = match.end()
            continue
        end = closing(code, match.start())
        at = end
        if match[0] != "{":
            continue
        name = name_of(code[begin:match.start()])
        if name is None and code[begin:match.start()].rstrip().endswith(")"):
            begin = end
        if name:
            # What is defined begins behind the last blank line: before it are macros that need no semicolon.
            blank = text.rfind("\n\n", begin, match.start())
            start = blank + 2 if blank >= begin else begin
            if name.split()[0] not in ("struct", "union", "enum"):
                begin = end
            found.append(Definition(name, start, match.end(), end))
        # `struct x { … } y;` and initializers go on to their semicolon.
    return found


def find(text: str, name: str, where: str) -> Definition:
    found = [d for d in definitions(text) if d.name == name]
    if len(found) != 1:
        raise EditError(f"{where}: {name} is defined {len(found)} times")
    return found[0]


def one(text: str, old: str, where: str) -> int:
    if text.count(old) != 1:
        raise EditError(f"{where}: {old!r} is there {text.count(old)} times")
    return text.index(old)


def replace_body(text: str, d: Definition, body: str) -> str:
    lines = [f"    {line}" if line.strip() else "" for line in body.strip("\n").splitlines()]
    return text[:d.open] + "\n" + "\n".join(lines) + "\n" + text[d.end - 1:]


def drop_definition(text: str, d: Definition) -> str:
    end = d.end
    while text[end:end + 1] in (";", "\n"):
        end += 1
    return text[:d.start].rstrip("\n") + "\n\n" + text[end:]


def drop_member(text: str, d: Definition, member: str, where: str) -> str:
    """The declaration of a member of the struct, with the comment beside it."""
    inside = blanked(text)[d.open:d.end - 1]
    found = [m for m in re.finditer(r"[^;{}]*;[^\n]*\n", inside) if re.search(rf"\b{re.escape(member)}\b", m[0])]
    if len(found) != 1:
        raise EditError(f"{where}: {d.name} has {len(found)} members {member}")
    start = d.open + found[0].start()
    # Behind the line end that closes the member before.
    start = text.index("\n", start) + 1 if text[start:start + 1] == "\n" else start
    return text[:start] + text[d.open + found[0].end():]


def drop_statement(text: str, name: str, where: str) -> str:
    """A declaration at file scope: a prototype or a variable."""
    code, spans, at, begin = blanked(text), [], 0, 0
    for match in iter(lambda: re.compile(r"[;{]").search(code, at), None):
        at = closing(code, match.start()) if match[0] == "{" else match.end()
        if match[0] == ";":
            if re.search(rf"\b{re.escape(name)}\b", code[begin:match.start()]):
                spans.append((begin, at))
            begin = at
        elif name_of(code[begin:match.start()]) and not code[at:].lstrip().startswith(";"):
            begin = at
    if len(spans) != 1:
        raise EditError(f"{where}: {name} is declared {len(spans)} times")
    start, end = spans[0]
    lead = re.match(r"\s*", code[start:end])
    return text[:start + lead.end()] + text[end:].lstrip("\n")


KEYS = {"file", "function", "struct", "member", "declaration", "body", "drop", "old", "new", "append", "create"}


def apply(tree: Path, edit: dict) -> None:
    """One change. What is named is `function`, `struct` with `member`, or `declaration` of `file`; without, the file itself.

      body = "…"           the function gets this one
      drop = true          what is named goes
      old = "…" new = "…"  in what is named: this text, which is there once
      append = "…"         behind what is named, or at the end of the file
      create = "…"         the file itself
    """
    path, where = tree / edit["file"], edit["file"]
    if "create" in edit:
        if path.exists() or set(edit) - KEYS:
            raise EditError(f"{where} is there already, or is to be more than created")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edit["create"])
        return
    text = path.read_text()
    path.write_text(changed(text, edit, where))


def changed(text: str, edit: dict, where: str) -> str:
    """What apply() makes of the file's text."""
    if set(edit) - KEYS:
        raise EditError(f"{where}: unknown {', '.join(sorted(set(edit) - KEYS))}")
    if "declaration" in edit:
        return drop_statement(text, edit["declaration"], where)
    if "member" in edit:
        return drop_member(text, find(text, f"struct {edit['struct']}", where), edit["member"], where)
    if "function" in edit or "struct" in edit:
        d = find(text, edit.get("function") or f"struct {edit['struct']}", where)
        if edit.get("drop"):
            return drop_definition(text, d)
        if "body" in edit:
            return replace_body(text, d, edit["body"])
        if "append" in edit:
            end = d.end + (text[d.end:d.end + 1] == ";")
            return text[:end] + "\n\n" + edit["append"].strip("\n") + text[end:]
        at = d.start + one(text[d.start:d.end], edit["old"], f"{where}: {d.name}")
        return text[:at] + edit["new"] + text[at + len(edit["old"]):]
    if "append" in edit:
        return text.rstrip("\n") + "\n\n" + edit["append"].strip("\n") + "\n"
    at = one(text, edit["old"], where)
    return text[:at] + edit["new"] + text[at + len(edit["old"]):]
