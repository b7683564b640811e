"""CHECK=fail: memory, user copies and disk requests fail on purpose; programs may, the kernel lives (row D4). Afterwards it has
lost nothing and the disk is whole."""
from __future__ import annotations

import re

import pytest

from xv39.checks import assert_nothing_lost, kernel
from xv39.machine import PROMPT, Timeout, assert_clean, fsck, wrapped

QUICK = ["usertests 'M2_*'", "usertests 'F2_*'", "stressfs", "ls /bin | sort | wc", "mkdir d", "cp /bin/sh d/x",
         "mv d/x d/y", "cat d/y | wc", "rm -r d", "sync"]


def counts(m) -> dict[str, tuple[int, int]]:
    """How often each kind was asked for, and failed."""
    text = m.check("cat /proc/xv39/fail")
    return {kind: (int(asked), int(failed))
            for kind, asked, failed in re.findall(r"(?m)^(\w+):\d+:\d+ asked (\d+) failed (\d+) last", text)}


def attempt(m, command: str, timeout: float = 60) -> str:
    """Type a line and wait for the prompt, whatever became of it. What hangs because a part of it failed is interrupted."""
    m.send_line(command)
    m.expect(wrapped(command))
    try:
        m.expect(PROMPT, timeout)
    except Timeout:
        m.control("c")
        m.expect(PROMPT)
    return m.before


def endure(shell, rates: str, commands: list[str], smp: int, timeout: float = 60) -> None:
    m = shell(kernel=kernel("fail leak", plant=False), smp=smp, mem="256M")
    m.check(f"echo {rates} > /proc/xv39/fail")
    for command in commands:
        attempt(m, command, timeout)
    m.check("echo off > /proc/xv39/fail")  # by the shell that turned them on, which is spared
    m.run("sync")
    for kind, (asked, failed) in counts(m).items():
        assert (failed > 0) == (f"{kind}:" in rates), f"{kind}: {failed} of {asked} failed"
    assert_nothing_lost(m)
    m.poweroff(fsck=False)
    if "block" in rates:
        assert fsck(m.disks[0])[0] < 8  # what a failed write left is e2fsck's to mend
    else:
        assert_clean(m.disks[0])


@pytest.mark.parametrize("rates", ["alloc:500:1", "usercopy:1000:2", "block:60:3"])
def test_D4_fail_is_endured(shell, rates):
    endure(shell, rates, QUICK, smp=2)


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("rates", ["alloc:200:4", "usercopy:500:5", "block:100:6", "alloc:1000:7,usercopy:1000:8,block:200:9"])
def test_D4_fail_is_endured_for_long(shell, rates, smp):
    letters = [f"usertests '{letter}[{digits}]_*'" for letter in "AFIMNPSTU" for digits in ("0-3", "4-6", "7-9")]
    endure(shell, rates, letters + ["grind 10", *QUICK], smp, timeout=40)


@pytest.mark.parametrize("smp", [1, 4])
def test_M4_no_memory_for_a_table(shell, smp):
    """A case that turns failures on itself, at the moment that counts."""
    m = shell(kernel=kernel("fail leak", plant=False), smp=smp)
    assert "1 passed, 0 failed" in m.check("usertests M4_no_memory")
    assert_nothing_lost(m)
    m.poweroff()


def test_D4_fail_is_repeatable(shell):
    """One hart, one seed: the same requests fail. Another seed: others."""
    def outputs(seed: int) -> list[str]:
        m = shell(kernel=kernel("fail leak", plant=False))
        m.check(f"echo block:5:{seed} > /proc/xv39/fail")
        results = [m.run(f"wc /bin/{program}")[1].splitlines()[0] for program in ("sh", "ls", "usertests", "grind", "ps")]
        m.close()
        return results

    first = outputs(11)
    assert outputs(11) == first and outputs(12) != first


def test_D4_fail_of_a_write_is_told(shell):
    """On the console, once; by fsync(2), though sync(2) came before; and in the super block, for e2fsck."""
    m = shell(kernel=kernel("fail leak", plant=False))
    m.check("echo one > /f; sync; sync /f; cat /proc/xv39/fail")  # now no program must be read
    m.check("echo block:1 > /proc/xv39/fail")
    m.check("echo two > /f; sync")
    m.check("echo off > /proc/xv39/fail")
    m.check("sync /f || echo first; sync /f && echo second")
    text = m.text()
    assert re.search(r"sync: /f: Input/output error[\r\n]+first[\r\n]+second", text), text
    assert len(re.findall(r"I/O error, dev vda, sector \d+, writing", text)) == 1, text
    m.poweroff(fsck=False)
    with m.disks[0].open("rb") as disk:
        disk.seek(1024 + 58)
        assert disk.read(1)[0] & 2  # the state: it has errors
    assert fsck(m.disks[0])[0] < 8


def test_D4_fail_from_the_start(shell):
    """The boot argument; the shell is not spared and may need many attempts to turn it off."""
    m = shell(kernel=kernel("fail leak", plant=False), append="fail=alloc:50:1,usercopy:300:2")
    for _ in range(100):
        attempt(m, "echo off > /proc/xv39/fail")
        if set(re.findall(r"(?m)^\w+:(\d+):", attempt(m, "cat /proc/xv39/fail"))) == {"0"}:
            break
    assert counts(m)["alloc"][0] > 0 and counts(m)["block"][0] == 0
    assert_nothing_lost(m)
    m.poweroff()


def test_D4_fail_needs_its_kernel(shell):
    m = shell(append="fail=alloc:100:1")
    assert "boot argument fail: only a kernel built with CHECK=fail knows it" in m.text()


def test_D4_fail_says_what_it_does_not_understand(shell):
    m = shell(kernel=kernel("fail leak", plant=False), append="fail=alloc")
    assert "boot argument fail=alloc: not understood, ignored" in m.text()
    for bad in ("alloc", "alloc:", "alloc:x", "nothing:1", "alloc:1x", "alloc:1:2:3", ""):
        assert m.run(f"echo '{bad}' > /proc/xv39/fail")[0] != 0 or bad == ""
    m.check("echo alloc:1000000:7,block:1000000 > /proc/xv39/fail")
    assert {kind: asked > 0 for kind, (asked, _) in counts(m).items()}["alloc"]
    m.check("echo off > /proc/xv39/fail")
