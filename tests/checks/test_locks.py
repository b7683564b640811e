"""CHECK=locks: each kind of mistake with a lock is found where it is made (row D4), and the kernel itself makes none."""
from __future__ import annotations

import re

import pytest

from xv39.checks import FRAME, kernel, plant, wrong_line

# bug: what the panic says of it
MISTAKES = {
    "spin_order": "order: taking low (rank %d) while holding high (rank %d)",
    "spin_address": "order: taking equal 0 (rank %d) while holding equal 1 (rank %d)",
    "spin_twice": "low taken twice",
    "spin_release": "low released by a hart that does not hold it",
    "sleep_mutex": "outer may sleep, but a spinning lock is held",
    "sleep_schedule": "low held where none may be",
    "mutex_order": "order: taking outer (rank %d.0) while holding inner (rank %d.0)",
    "mutex_twice": "outer taken twice",
    "hold_spin": "low for %d us, more than 10000",
    "hold_irqs": "interrupts off for %d us, more than 10000",
    "keep_spin": "low held where none may be",
    "keep_mutex": "outer held on return to user code",
}
# Both stacks are shown: of who took the lock first, and of the panic.
FIRST = {"spin_order": "high", "spin_address": "equal 1", "spin_twice": "taken first", "mutex_order": "inner",
         "mutex_twice": "taken first", "sleep_schedule": "low", "hold_spin": "low", "hold_irqs": "interrupts off",
         "keep_spin": "low", "keep_mutex": "outer"}
EXACT = ["-icount", "shift=0,sleep=off"]


def frames(text: str) -> list[tuple[str, str]]:
    """The (address, function) lines that a title is followed by."""
    return FRAME.findall(re.match(r"(  [0-9a-f]{16} \S+[^\n]*\n)*", text)[0])


@pytest.mark.parametrize("bug", MISTAKES)
def test_D4_locks_finds(boot, bug):
    image = kernel("locks")
    exact = {"append": "hold=10000", "extra": EXACT} if bug.startswith("hold") else {}
    report = plant(boot, image, bug, timeout=240, **exact)
    panic = re.search(r"(?m)^panic: locks: (.*) in (\w+)$", report)
    says = re.escape(MISTAKES[bug]).replace("%d", r"\d+")
    assert panic and re.fullmatch(says, panic[1]), report
    now = frames(report.partition("\nbacktrace:\n")[2])
    if bug in FIRST:
        first = frames(report.partition(f"\n{FIRST[bug]} by:\n")[2])
        assert first and first[0][1] == f"plant_{bug}", report
        if bug.startswith("keep"):
            now = first
    mine = [address for address, function in now if function == f"plant_{bug}"]
    assert mine and wrong_line(image, mine[0], f"plant_{bug}"), report
    if bug.startswith("keep"):
        assert panic[2] in ("locks_back_to_user", "syscall_enter"), report
    elif bug != "sleep_schedule":
        assert panic[2] == f"plant_{bug}", report


def test_D4_hold_without_a_bound_is_silent(shell):
    """hold=0 is the default; /proc/xv39/hold changes it."""
    m = shell(kernel=kernel("locks"))
    assert m.check("cat /proc/xv39/hold").split() == ["0"]
    m.check("echo hold_spin > /proc/xv39/plant")
    m.check("echo hold_irqs > /proc/xv39/plant")
    m.check("echo 123456 > /proc/xv39/hold")
    assert m.check("cat /proc/xv39/hold").split() == ["123456"]
    assert m.run("echo much > /proc/xv39/hold")[0] != 0
    m.check("echo 0 > /proc/xv39/hold")
    m.poweroff()


def test_S9_watch_keeps_the_longest(shell):
    """hold=watch: planted sections of 20 ms are on top of the list, with the place where they ended."""
    m = shell(kernel=kernel("locks"), append="hold=watch", extra=EXACT)
    assert m.check("cat /proc/xv39/hold").split() == ["watch"]
    m.check("echo hold_spin > /proc/xv39/plant")
    m.check("echo hold_irqs > /proc/xv39/plant")
    said = m.check("cat /proc/xv39/longest")
    kept = {what: (int(us), where) for us, what, where in re.findall(r"(?m)^(\d+) us: (.*), until (\w+)\+", said)}
    for what, where in (("low", "plant_hold_spin"), ("not preemptible", "spin_unlock|plant_hold_spin"),
                        ("interrupts off", "plant_hold_irqs")):
        assert 20000 <= kept[what][0] < 25000 and re.search(where, kept[what][1]), said
    assert max(us for us, _ in kept.values()) < 25000, said
    m.check("echo watch > /proc/xv39/hold")  # begins anew
    m.poweroff()


def test_D4_hold_needs_its_kernel(shell):
    m = shell(append="hold=100")
    assert "boot argument hold: only a kernel built with CHECK=locks knows it" in m.text()


def test_D4_locks_silent_on_a_shell(shell):
    """With exact time no lock is held, and interrupts are not off, for 10 ms."""
    m = shell(kernel=kernel("locks"), append="hold=10000", extra=EXACT)
    for command in ("ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x", "mv d/x d/y", "cat d/y | wc", "rm -r d", "ps",
                    "cat /proc/mounts"):
        m.run(command, timeout=240)
    m.poweroff()
