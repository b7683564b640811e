"""D4: the kernel itself is clean under every check: all of usertests, then grind and stressfs, on four harts."""
from __future__ import annotations

import re

import pytest

from xv39.checks import kernel


@pytest.mark.slow
@pytest.mark.parametrize("check", ["locks", "kasan ubsan", "race", "poison leak"])
def test_D4_clean(shell, check):
    m = shell(kernel=kernel(check, plant=False), smp=4, mem="1G", append="panic=-1")
    output = m.run("usertests -a", timeout=1500)[1]
    assert re.search(r"(?m)^usertests: \d+ passed, 0 failed", output), output[-3000:]
    assert "leak" not in check or "leak: lost 0," in output
    m.check("stressfs", timeout=240)
    assert re.search(r"(?m)^grind: ok$", m.check("grind 60", timeout=300))
    if "leak" in check:
        for _ in range(2):
            m.check("echo scan > /proc/xv39/leak")
        assert "lost 0," in m.check("cat /proc/xv39/leak")
    m.poweroff()
