"""D4: the kernel itself is clean under every check: all of usertests, then grind and stressfs, on four harts."""
from __future__ import annotations

import re

import pytest

from xv39.checks import assert_nothing_lost, kernel, usertests


@pytest.mark.slow
@pytest.mark.parametrize("check", ["locks", "kasan ubsan", "race", "poison leak"])
def test_D4_clean(shell, check):
    m = shell(kernel=kernel(check, plant=False), smp=4, mem="1G", append="panic=-1")
    output = usertests(m, "-a", slower=4)
    assert "leak" not in check or "leak: lost 0," in output
    m.check("stressfs", timeout=600)
    assert re.search(r"(?m)^grind: ok$", m.check("grind 60", timeout=600))
    if "leak" in check:
        assert_nothing_lost(m)
    m.poweroff()
