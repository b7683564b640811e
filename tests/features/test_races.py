"""T3, T11, M2: races that once were lost, on one hart and on several."""
from __future__ import annotations

import pytest

from xv39 import images, paths


@pytest.fixture(scope="module")
def races_image(debian_root, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    paths.run("cp", "-a", f"{debian_root}/.", root)
    images.build(paths.TOP / "tests/programs/races.c", root / "bin/races", "-O2", "-pthread")
    return images.make_ext2(tmp_path_factory.mktemp("image") / "races.img", root, "96M")


@pytest.mark.parametrize("smp", [1, 4])
def test_T11_races(boot, races_image, smp):
    m = boot(disks=[races_image], smp=smp, append="init=/bin/sh", shell="posix")
    m.wait_prompt()
    output = m.check("races 4", timeout=120)
    assert output.count("ok ") == 3 and "not ok" not in output, output
