"""What a grading says: text for people, and the files that Gradescope, GitHub Classroom and CI systems read."""
from __future__ import annotations

import base64
import json
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from .grade import TAIL, Outcome, Result


def end_of(text: str, lines: int = TAIL) -> str:
    """Its last lines, without what no terminal and no XML takes."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
    return "\n".join(line[:300] for line in clean.strip("\n").splitlines()[-lines:])


def number(value: float) -> str:
    return f"{value:g}"


def failure(outcome: Outcome, lines: int = TAIL) -> str:
    console = end_of(outcome.console, lines)
    said = "\n".join(f"| {line}" for line in console.splitlines())
    return f"{end_of(outcome.why, 5) or 'no verdict'}" + (f"\nthe console:\n{said}" if said else "")


def text(result: Result, verbose: bool = False) -> str:
    lab = result.lab
    lines = [f"Lab {lab.name}: {lab.title}" + (f" (seed {lab.seed})" if lab.seed else "")]
    lines += [f"  {note}" for note in result.notes]
    if not result.built:
        lines += ["  it does not build:", *(f"    {line}" for line in end_of(result.build_output, 40).splitlines())]
    elif result.warnings:
        lines.append(f"  the kernel builds with {result.warnings} warnings")
    console = None  # one that several failures have in common is shown once
    for outcome in result.outcomes:
        mark = "ok  " if outcome.passed else "FAIL"
        points = f"{number(outcome.score)}/{number(outcome.test.points)}"
        lines.append(f"  {mark} {points:>7}  {outcome.test.name}: {outcome.test.title}")
        if not outcome.passed and result.built:
            if outcome.console and outcome.console == console:
                lines.append(f"                {end_of(outcome.why, 5)}")
                continue
            console = outcome.console
            lines += [f"                {line}" for line in failure(outcome, 10**6 if verbose else TAIL).splitlines()]
    lines.append(f"Score: {number(result.score)} of {number(lab.points)}")
    return "\n".join(lines)


def gradescope(result: Result) -> str:
    """results.json: https://gradescope-autograders.readthedocs.io, Output Format"""
    tests = [{
        "score": outcome.score,
        "max_score": outcome.test.points,
        "status": "passed" if outcome.passed else "failed",
        "name": outcome.test.title if outcome.test.hidden else f"{outcome.test.name}: {outcome.test.title}",
        "output": "" if outcome.passed else failure(outcome),
        "output_format": "text",
        "visibility": "after_published" if outcome.test.hidden else "visible",
    } for outcome in result.outcomes]
    head = text(result).split("\n")[0] if result.built else text(result)
    return json.dumps({"score": result.score, "output": "\n".join([head, *result.notes]), "output_format": "text",
                       "stdout_visibility": "hidden", "tests": tests}, indent=1)


def classroom(result: Result) -> str:
    """What a step of GitHub Classroom's autograding gives to its grading reporter: JSON in base64."""
    tests = [{
        "name": outcome.test.name,
        "status": "pass" if outcome.passed else "fail",
        "score": outcome.score,
        "message": None if outcome.passed else failure(outcome),
        "test_code": f"make grade LAB={result.lab.name}",
        "filename": "",
        "line_no": 0,
        "execution_time": round(1000 * outcome.seconds),
    } for outcome in result.outcomes]
    every = all(outcome.passed for outcome in result.outcomes)
    return base64.b64encode(json.dumps({"version": 1, "status": "pass" if every else "fail", "max_score": result.lab.points,
                                        "tests": tests}).encode()).decode()


def junit(result: Result) -> str:
    failed = sum(not outcome.passed for outcome in result.outcomes)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>',
             f'<testsuite name={quoteattr("lab " + result.lab.name)} tests="{len(result.outcomes)}" failures="{failed}">']
    for outcome in result.outcomes:
        head = f'<testcase classname={quoteattr(result.lab.name)} name={quoteattr(outcome.test.name)} time="{outcome.seconds:.2f}"'
        if outcome.passed:
            lines.append(f"  {head}/>")
        else:
            lines += [f"  {head}>", f"    <failure message={quoteattr(end_of(outcome.why, 1))}>{escape(failure(outcome))}</failure>",
                      "  </testcase>"]
    return "\n".join([*lines, "</testsuite>"]) + "\n"


def write_all(result: Result, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(text(result) + "\n")
    (folder / "results.json").write_text(gradescope(result) + "\n")
    (folder / "classroom.txt").write_text(classroom(result) + "\n")
    (folder / "junit.xml").write_text(junit(result))
    (folder / "build.txt").write_text(result.build_output)
    for name, log in result.logs.items():
        (folder / f"console-{name}").write_text(log)
