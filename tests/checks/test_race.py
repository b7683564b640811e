"""CHECK=race: two harts that touch the same bytes at once are caught, both are named (row D4); and the kernel does not do it."""
from __future__ import annotations

import re

import pytest

from xv39.checks import FRAME, kernel, plant, wrong_line

# (bug, functions that race, kinds of access)
RACES = [
    ("race_counter", ("count", "count"), ("read", "write")),
    ("race_flag", ("publish", "notice"), ("read", "write")),
    ("race_limit", ("set_limit", "look_at_limit"), ("read", "write")),
    ("race_hint", ("bump_hint", "read_hint"), ("read", "marked write")),
]
REPORT = re.compile(r"(?m)^oops: race: in (\w+): ([a-z ]+) of 8 bytes at [0-9a-f]{16}, ([a-z ]+) by (\w+), hart (\d+), task (\S+);")
OTHER = re.compile(r"(?m)^the other: ([a-z ]+) of 8 bytes, hart (\d+), task (\S+), by:")


@pytest.mark.parametrize(("bug", "functions", "kinds"), RACES, ids=[race[0] for race in RACES])
def test_D4_race_finds(boot, bug, functions, kinds):
    """In a bounded number of turns, on two harts; the line that is wrong is one of the two that the report names."""
    image = kernel("race")
    report = plant(boot, image, bug, timeout=120, smp=4)
    said, other = REPORT.search(report), OTHER.search(report)
    assert said and other, report
    assert sorted((said[1], said[4])) == sorted(functions), report
    assert {said[2], said[3]} <= set(kinds) and any("write" in kind for kind in (said[2], said[3])), report
    assert (said[5], said[6]) != (other[2], other[3]), report
    assert re.search(rf"(?m)^panic: race: .* in {said[1]}$", report), report
    here = FRAME.search(report.partition("\nbacktrace:")[2])
    there = FRAME.search(report[other.end():])
    assert (here[2], there[2]) == (said[1], said[4]), report
    assert any(wrong_line(image, frame[1], frame[2]) for frame in (here, there)), report


def test_D4_race_silent_when_ordered(shell):
    """The same work under the lock, with marked accesses, or said to be harmless."""
    m = shell(kernel=kernel("race"), smp=4, append="panic=-1")
    for bug, *_ in RACES:
        m.check(f"echo {bug}_ok > /proc/xv39/plant", timeout=120)
    m.poweroff()


def test_D4_race_report_goes_on(boot):
    """race=report: each pair of functions once, and the machine lives."""
    m = boot(kernel=kernel("race"), smp=4, append="panic=-1 race=report")
    m.expect(r"[$] ", crash_ok=True)
    m.send_line("echo race_flag > /proc/xv39/plant; echo race_flag > /proc/xv39/plant; poweroff")
    assert m.wait_end(timeout=120, crash_ok=True) == 0
    pairs = [tuple(sorted((said[1], said[4]))) for said in REPORT.finditer(m.text())]
    assert pairs == [("notice", "publish")], m.text()
    assert "panic:" not in m.text()


def test_D4_race_silent_on_a_shell(shell):
    m = shell(kernel=kernel("race", plant=False), smp=4, append="panic=-1")
    for command in ("ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x", "cat d/x | wc", "rm -r d", "ps", "free", "forktest",
                    "cat /proc/meminfo /proc/vmstat /proc/stat | wc", "stressfs"):
        m.run(command, timeout=120)
    m.poweroff()
