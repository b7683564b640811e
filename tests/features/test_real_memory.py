"""M2, M6, M7: programs that know nothing of this kernel, with what they do to memory."""
from __future__ import annotations

import pytest
from test_real_tasks import start

from xv39 import checks, images, paths

PROGRAMS = paths.TOP / "tests/programs"


class TestStress:
    """Debian's stress-ng verifies what it writes; what it does is bounded by operations, or, the long way, by time."""
    OPERATIONS = {
        "vm": (2000, "--vm-method all --vm-bytes 8M"), "mmap": (20, "--mmap-bytes 8M"), "fork": (50, ""),
        "mremap": (50, "--mremap-bytes 4M"), "madvise": (2, ""), "fault": (200, ""), "mmapfork": (4, ""), "mincore": (50, ""),
        "mlock": (100, ""), "memfd": (10, "--memfd-bytes 16M"), "msync": (20, "--msync-bytes 8M"),
        "mprotect": (200, ""), "munmap": (20, ""), "brk": (1000, ""), "stack": (5, ""),
        "mmapfixed": (100, ""), "mmapaddr": (100, ""), "sigbus": (200, ""), "vma": (20, ""),
        "tlb-shootdown": (20, "")}
    LONG = ("vm", "mmap", "fork", "mremap", "madvise", "fault", "mmapfork", "mincore", "mlock", "memfd")

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install(root, ("stress-ng",), "usr/bin/stress-ng"))

    def stress(self, m, name: str, options: str, seconds: int) -> None:
        output = m.check(f"stress-ng --{name} 2 {options} --verify", seconds)
        assert " fail:" not in output and f"passed: 2: {name} (2)" in output, output

    @pytest.mark.parametrize("smp, append", [(1, ""), (4, ""), (4, "randmaps")])
    def test_M2_M6_M7_stress(self, boot, disk, smp, append):
        m = start(boot, disk, smp, kernel=checks.kernel("leak"), more=append)
        for name, (operations, options) in self.OPERATIONS.items():
            self.stress(m, name, f"{options} --{name}-ops {operations} --timeout 0", 120)
        checks.assert_nothing_lost(m)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", LONG)
    def test_M2_M6_M7_long_stress(self, boot, disk, name):
        m = start(boot, disk, 4, kernel=checks.kernel("leak"))
        self.stress(m, name, f"{self.OPERATIONS[name][1]} --timeout 60", 300)
        checks.assert_nothing_lost(m)


class TestPython:
    """Debian's python3, its processes and mappings: it must print what the host's prints."""
    SCRIPT = PROGRAMS / "memory.py"

    @pytest.fixture(scope="class")
    def expected(self):
        return images.host_python(self.SCRIPT)

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install_python(root, self.SCRIPT))

    @pytest.mark.parametrize("smp, append", [(1, ""), (4, "randmaps")])
    def test_M2_M6_python(self, boot, disk, expected, smp, append):
        assert expected.endswith("end 1\n")
        m = start(boot, disk, smp, more=append)
        assert m.check("python3 -W ignore /memory.py", 240) == expected


class TestSqlite:
    """Debian's sqlite3 with its file mapped: by several processes, that grow it, and with what the log's index shares."""
    FILL = ("CREATE TABLE t (n INTEGER PRIMARY KEY, w TEXT); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
            "WHERE n < 20000) INSERT INTO t SELECT n, printf('word %06d', n * 7919 % 20000) FROM c; CREATE INDEX w ON t (w);")
    CHECK = "SELECT count(*), sum(n), min(w), max(w) FROM t; PRAGMA integrity_check;"
    MAPPED = "PRAGMA mmap_size = 67108864;"

    @pytest.fixture(scope="class")
    def disk(self, debian_with):
        return debian_with(add=lambda root: images.install(root, ("sqlite3",), "usr/bin/sqlite3"))

    def sql(self, m, file: str, text: str) -> str:
        return m.check(f"sqlite3 {file} \"{self.MAPPED} {text}\"", 240).removeprefix("67108864\n")

    @pytest.mark.parametrize("smp, folder", [(1, "/root"), (4, "/root"), (4, "/tmp")])
    def test_M6_sqlite(self, boot, disk, smp, folder):
        m = start(boot, disk, smp)
        whole = "20000|200010000|word 000000|word 019999\nok\n"
        file = f"{folder}/x.db"
        assert self.sql(m, file, self.FILL) == ""
        assert self.sql(m, file, self.CHECK) == whole
        assert self.sql(m, file, "PRAGMA journal_mode = WAL;") == "wal\n"
        # Four writers and readers at once; each row is changed by exactly one of them.
        m.check("for i in 0 1 2 3; do sqlite3 -cmd '.timeout 60000' %s \"%s UPDATE t SET w = 'new ' || w WHERE n %% 4 = $i; %s\" "
                ">/tmp/out$i 2>&1 & done; wait" % (file, self.MAPPED, "SELECT count(*) FROM t WHERE w LIKE 'new%';"), 240)
        counts = m.check("cat /tmp/out?").replace("67108864\n", "").split()
        assert max(map(int, counts)) == 20000 and all(int(n) % 5000 == 0 for n in counts), counts
        assert self.sql(m, file, self.CHECK) == "20000|200010000|new word 000000|new word 019999\nok\n"
        # Smaller: what is mapped goes from under it.
        less = "DELETE FROM t WHERE n > 100; VACUUM; SELECT count(*) FROM t; PRAGMA integrity_check;"
        assert self.sql(m, file, less) == "100\nok\n"
