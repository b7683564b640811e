"""T9: kernel threads are started and stopped, works run in them, also under load: asked from inside, with PLANT=1."""
from __future__ import annotations

import re

import pytest

from xv39.checks import kernel


@pytest.mark.parametrize("smp", [1, 4])
def test_T9_threads_and_works(shell, smp):
    m = shell(kernel=kernel("locks"), smp=smp, append="panic=-1")
    ps = m.check("ps")
    assert "[kthreadd]" in ps and "[flush]" in ps and all(f"[ksoftirqd/{h}]" in ps for h in range(smp)), ps
    report = m.check("usertests 'T9_*'", timeout=120)
    assert re.search(r"(?m)^usertests: 4 passed, 0 failed", report), report  # none is skipped
    m.poweroff()


def test_T9_signals_of_the_console_come_from_ksoftirqd(shell):
    """^C is put off by the interrupt handler: the thread that sends the signal runs, also when all harts are busy."""
    m = shell(smp=1)
    pid = re.search(r"(?m)^ *(\d+) .*\[ksoftirqd/0\]", m.check("ps"))[1]
    count = f"grep ^vol /proc/{pid}/status"
    before = int(m.check(count).split()[1])
    for _ in range(4):
        m.check("sh -c 'while :; do :; done' & true")
    for _ in range(3):
        m.send_line("sh -c 'echo begun; sleep 1000'")
        m.expect(r"(?m)^begun\r*\n")
        m.control("C")
        m.wait_prompt()
    assert int(m.check(count).split()[1]) >= before + 3
    m.poweroff()
