"""I2, I3, I4, I5, I10: Debian's programs for System V objects and POSIX message queues."""
from __future__ import annotations

import re

import pytest

from xv39 import checks, images
from xv39.machine import Machine

LISTS = ("ipcs", "ipcmk", "ipcrm")


def start(boot, disk, smp: int, **how) -> Machine:
    m = boot(disks=[disk], smp=smp, mem="512M", append="init=/bin/sh", shell="posix", **how)
    m.wait_prompt()
    return m


class TestStress:
    """stress-ng, bounded by operations; --verify looks at what went through. Its mq receives only until the time-out, its sem
    waits for it whatever its threads have done."""
    OPERATIONS = {"msg": 2000, "mq": 2000, "sem-sysv": 2000, "shm-sysv": 20, "sem": 2000, "shm": 20, "pipe": 2000, "fifo": 500,
                  "futex": 500, "splice": 500, "vm-splice": 500}
    SIZES = {"shm-sysv": " --shm-sysv-bytes 1M", "shm": " --shm-bytes 1M"}
    SECONDS = {"sem": 5}

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install(root, ("stress-ng",), "usr/bin/stress-ng"))

    @pytest.mark.parametrize("smp, more", [(1, 1), (4, 1), pytest.param(8, 20, marks=pytest.mark.slow)])
    def test_I1_I2_I3_I4_I5_I6_stress(self, boot, disk, smp, more):
        m = start(boot, disk, smp, kernel=checks.kernel("leak"))
        for name, operations in self.OPERATIONS.items():
            size = self.SIZES.get(name, "")
            output = m.check(f"stress-ng --{name} 2 --{name}-ops {operations * more}{size} --verify --timeout {self.SECONDS.get(name, 600)}", 120 * more)
            failures = [line for line in output.splitlines() if " fail:" in line]
            assert not failures and f"passed: 2: {name} (2)" in output, output
        checks.assert_nothing_lost(m)


class TestLists:
    """util-linux's ipcs, ipcmk and ipcrm."""

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        def fill(root):
            for name in LISTS:
                images.install(root, ("util-linux",), f"usr/bin/{name}")

        return debian_with(add=fill)

    def make(self, m, options: str) -> str:
        return re.search(r"id: (\d+)", m.check(f"ipcmk {options}"))[1]

    def test_I10_lists(self, boot, disk):
        m = start(boot, disk, 1)
        shm, sem, msg = (self.make(m, options) for options in ("-M 5000 -p 0640", "-S 3 -p 0600", "-Q -p 0666"))
        rows = {line.split()[1]: line.split() for line in m.check("ipcs -m").splitlines() if line.startswith("0x")}
        assert rows[shm][2:] == ["root", "640", "5000", "0"]
        assert re.search(rf"(?m)^0x\w+ {sem} +root +600 +3 *$", m.check("ipcs -s"))
        assert re.search(rf"(?m)^0x\w+ {msg} +root +666 +0 +0 *$", m.check("ipcs -q"))
        details = m.check(f"ipcs -m -i {shm}")
        assert "bytes=5000" in details and "mode=0640" in details and "nattch=0" in details
        assert "nsems = 3" in m.check(f"ipcs -s -i {sem}")
        limits = m.check("ipcs -l")
        assert "max number of segments = 4096" in limits and "max queues system wide = 32000" in limits
        assert "max ops per semop call = 500" in limits and "max size of message (bytes) = 8192" in limits
        assert "segments allocated 1" in m.check("ipcs -u")
        assert re.search(rf"(?m)^{shm} +root +Not set", m.check("ipcs -m -t")) and re.search(rf"(?m)^{msg} ", m.check("ipcs -q -p"))
        m.check(f"ipcrm -m {shm} -s {sem} -q {msg}")
        assert not [line for line in m.check("ipcs").splitlines() if line.startswith("0x")]
        assert "invalid id" in m.run(f"ipcrm -m {shm}")[1]


@pytest.mark.parametrize("smp", [1, 4])
def test_I2_I4_ipcdemo(shell, smp):
    output = shell(smp=smp).check("ipcdemo")
    assert re.search(r"buffer: 1000 items .* sum 249500\n", output), output
    assert re.search(r"philosophers: 2500 meals, 0 with", output), output
    assert re.search(r"readers: 1000 versions, 0 seen", output), output


def test_I5_notices(boot, debian_with):
    m = start(boot, debian_with(["notices"]), 4)
    assert m.check("notices") == "notices: 210\n"


class TestKills:
    """user/ipcstress: numbered messages between processes that are killed at random moments."""
    ALL = ("pipe", "packets", "splice", "fifo", "msg", "mq", "futex", "stream", "dgram", "seqpacket", "epoll", "signalfd",
           "eventfd", "shm", "sem", "timerfd")

    def stress(self, shell, smp: int, ms: int, *names: str):
        m = shell(smp=smp, kernel=checks.kernel("leak"))
        output = m.check(f"ipcstress -t {ms} {' '.join(names)}", len(names) * (ms / 1000 + 20))
        assert [line.split(":")[0] for line in output.splitlines()] == list(names), output
        checks.assert_nothing_lost(m)

    def test_I1_to_I8_kills(self, shell):
        self.stress(shell, 4, 300, *self.ALL)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ALL)
    def test_I1_to_I8_minute(self, shell, name):
        self.stress(shell, 8, 60000, name)
