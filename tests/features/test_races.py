"""T3, T11, M2: races that once were lost, on one hart and on several."""
from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def races_image(debian_with):
    return debian_with(["races"])


@pytest.mark.parametrize("smp", [1, 4])
def test_T11_races(boot, races_image, smp):
    m = boot(disks=[races_image], smp=smp, append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("races 4", timeout=120)
    assert output.count("ok ") == 3 and "not ok" not in output, output
