"""I7, I8: programs that know nothing of this kernel, with their sockets, event descriptors and epoll sets."""
from __future__ import annotations

import os
import re
import shutil
import sys

import pytest
from test_real_tasks import start

from xv39 import checks, images, paths, speed


class TestStress:
    """Debian's stress-ng; what it does is bounded by operations, for time tells nothing on a slow machine."""
    OPERATIONS = {"eventfd": 500, "epoll": 100, "timerfd": 100, "sigfd": 300, "sockpair": 200, "poll": 200}

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install(root, ("stress-ng",), "usr/bin/stress-ng"))

    @pytest.mark.parametrize("smp, more", [(1, 1), (4, 1), pytest.param(8, 10, marks=pytest.mark.slow)])
    def test_I7_I8_stress(self, boot, disk, smp, more):
        m = start(boot, disk, smp, kernel=checks.kernel("leak"))
        for name, operations in self.OPERATIONS.items():
            # A client of stress-ng's looks for a server that has done its operations and ended, until the time is over.
            how = " --epoll-domain unix --timeout 30" if name == "epoll" else " --timeout 0"
            output = m.check(f"stress-ng --{name} 2 --{name}-ops {operations * more}{how} --metrics --verify", 120 * more)
            failures = [line for line in output.splitlines() if " fail:" in line]
            # The instance that has done its half first may end the other one's: so it does on Linux, too.
            done = re.search(rf"metrc: .*\] {name} +(\d+) ", output)
            assert not failures and f"passed: 2: {name} (2)" in output and done and int(done[1]) >= operations * more // 2, output
        checks.assert_nothing_lost(m)


class TestPython:
    """Debian's python3 must print what the host's prints."""
    SCRIPT = paths.TOP / "tests/programs/events.py"

    @pytest.fixture(scope="class")
    def expected(self):
        python = shutil.which("/usr/bin/python3") or sys.executable
        return paths.run(python, "-W", "ignore", self.SCRIPT, timeout=60 * speed.factor()).stdout

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            images.install(root, ("python3",), "usr/bin/python3.13", folders=("usr/lib/python3.13",)).rename(root / "usr/bin/python3")
            shutil.copy(self.SCRIPT, root / "events.py")
            modules = re.findall(r"(?m)^import (\S+)", self.SCRIPT.read_text())
            env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONHOME": f"{root}/usr"}
            paths.run(images.qemu_user(), "-L", root, root / "usr/bin/python3", "-c", "import " + ", ".join(modules), env=env)

        return debian_with(add=fill)

    @pytest.mark.parametrize("smp", [1, 4])
    def test_I7_I8_python(self, boot, disk, expected, smp):
        assert "end 1\n" in expected
        m = start(boot, disk, smp)
        assert m.check("python3 -W ignore /events.py", 240) == expected
