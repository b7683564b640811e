"""D4: schedules that can be repeated (CHECK=chaos), and tools/explore, which finds bugs that need a certain interleaving."""
from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache

import pytest

from xv39 import paths, speed
from xv39.checks import kernel

# (bug, checks, what is said of it, functions in the columns)
BUGS = [
    ("lost_wakeup", "chaos", "no end within", {"take_letters", "give_letters"}),
    ("lock_inversion", "chaos", "no end within", {"pay_here", "pay_there"}),
    ("stale_lookup", "chaos kasan", "kasan: use after free in plant_stale_lookup", {"use_thing", "exchange_thing"}),
]
NAMES = [bug for bug, *_ in BUGS]
# A mix of what wakes, waits, forks and shares, for the machine as it should be.
BUSY = "(seq 300 | sort -r | head -n 3) && (echo a | cat | wc) && sleep 0.01"


def explore(image, command: str, *more: str, timeout: float = 280) -> tuple[int, str]:
    done = subprocess.run([str(paths.TOP / "tools/explore"), "--kernel", str(image), "--disk", str(paths.FSIMG), *more,
                           command], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          env={**os.environ, "QEMU": paths.QEMU}, timeout=timeout * speed.factor())
    assert done.returncode in (0, 1) and not done.stderr, done.stdout + done.stderr
    return done.returncode, done.stdout


def planted(bug: str) -> str:
    return f"echo {bug} > /proc/xv39/plant"


@lru_cache(maxsize=None)
def found(bug: str, check: str) -> tuple[int, str]:
    return explore(kernel(check), planted(bug), "--seeds", "1-30")


def listed(output: str) -> list[str]:
    return re.search(r"(?m)^  chaos-points=(.*)$", output)[1].split(",")


@pytest.mark.parametrize(("bug", "check", "says", "functions"), BUGS, ids=NAMES)
def test_D4_planted(bug, check, says, functions):
    """Found by a few seeds, in the same run twice, and shortened until the picture shows the cause."""
    status, output = found(bug, check)
    assert status == 1, output
    assert re.search(rf"(?m)^seed \d+: panic: .*{says}", output), output
    assert "again: the same to the last character" in output, output
    assert len(listed(output)) <= 5, output
    columns = output.partition("-- PREEMPTED at")
    assert columns[1], output
    for function in functions:
        assert re.search(rf"\b{function} planted_chaos\.c:\d+", output), output


@pytest.mark.parametrize(("bug", "check", "says", "functions"), BUGS, ids=NAMES)
def test_D4_shortened_schedule_stands_alone(bug, check, says, functions):
    """chaos-points= without any seed fails in the same way; without points nothing fails."""
    image = kernel(check)
    points = ",".join(listed(found(bug, check)[1]))
    status, output = explore(image, planted(bug), "--points", points)
    assert status == 1 and says in output, output
    status, output = explore(image, planted(bug), "--points", "")
    assert status == 0, output


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "check", "says", "functions"), BUGS, ids=NAMES)
def test_D4_planted_in_200_seeds(bug, check, says, functions):
    """Most seeds pass, without any schedule it always passes, and some of 200 fail."""
    image = kernel(check)
    failed = re.findall(r"(?m)^seed \d+: (.*)$", explore(image, planted(bug), "--seeds", "1-200", "--all", timeout=1200)[1])
    assert 0 < len(failed) < 150, failed
    assert any(says in line for line in failed), failed


def head(output: str) -> str:
    return re.search(r"(?m)^chaos: seed.*$", output)[0]


def test_D4_runs_are_repeatable():
    """The same seed: the same points and switches at the same time. Another seed: others."""
    image = kernel("chaos")
    runs = [explore(image, BUSY, "--seeds", seed, "--print")[1].partition("\n1 runs,")[0] for seed in ("7", "7", "8")]
    assert all(re.search(r", [1-9]\d* choices", head(run)) for run in runs), runs
    assert runs[0] == runs[1], runs
    assert head(runs[0]).rpartition(" ")[2] != head(runs[2]).rpartition(" ")[2], runs


def test_D4_busy_kernel_survives_four_harts():
    """There it only disturbs, and nothing must break."""
    status, output = explore(kernel("chaos"), BUSY, "--seeds", "1-3", "--harts", "4")
    assert status == 0, output


def test_D4_exit_status_is_a_failure():
    status, output = explore(kernel("chaos"), "false", "--seeds", "1", "--no-shorten")
    assert status == 1 and "seed 1: exit status 1" in output, output


def test_D4_plain_kernel_says_what_it_lacks(shell):
    m = shell(append="chaos=17")
    assert "boot argument chaos: only a kernel built with CHECK=chaos" in m.text()
    m.poweroff()
