"""D4: random system calls (user/fuzz) do no harm, can be repeated, find a bug planted for them, and see what code they run."""
from __future__ import annotations

import re

import pytest

from xv39 import images, paths
from xv39.checks import assert_nothing_lost, kernel, source_of

CALL = re.compile(r"(?m)^fuzz 0\.(\d+): (.*)$")
CLEAN = re.compile(r"(?m)^fuzz: \d+ calls (\d+) ok$")


def fuzz(m, options: str, timeout: float) -> str:
    output = m.check(f"fuzz {options}", timeout=timeout)
    end = CLEAN.search(output)
    assert end and int(end.group(1)) > 0, output[-3000:]
    assert "uncaught" not in m.text()
    return output


def nothing_left(m) -> None:
    """The sandboxes are gone, and so is what ran in them."""
    assert "fuzz" not in m.check("ls . /tmp")
    assert "fuzz" not in m.check("ps")


@pytest.mark.parametrize("smp", [1, 4])
def test_D4_fuzz(shell, smp):
    m = shell(smp=smp, mem="256M")
    output = fuzz(m, f"-s {smp} -n {12000 // smp} -p {smp} -T {1 if smp == 1 else 2}", timeout=240)
    assert int(CLEAN.search(output).group(1)) > 3000, output
    nothing_left(m)
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("check", ["kasan ubsan locks", "poison leak", "race"])
def test_D4_fuzz_checked(shell, check, smp):
    """An hour in all. A new seed each time; it is in the log."""
    m = shell(kernel=kernel(check, plant=False), smp=smp, mem="512M", append="panic=-1")
    fuzz(m, f"-t 300 -p {smp} -w 10", timeout=700)
    fuzz(m, f"-t 300 -p {smp} -T 3 -w 10", timeout=700)
    nothing_left(m)
    if "leak" in check:
        assert_nothing_lost(m)
    m.poweroff()


@pytest.mark.slow
def test_D4_fuzz_in_little_memory(shell):
    m = shell(smp=2, mem="48M", append="panic=-1")
    fuzz(m, "-t 180 -p 6 -T 2 -w 10", timeout=600)
    m.poweroff()


def test_D4_sandbox_has_no_way_out(shell):
    """Calls that mount, or change what a path leads to, as root: all that is outside stays as it was."""
    m = shell(smp=1, mem="256M")
    outside = "mount; ls /; ls -l /bin"
    before = m.check(outside)
    fuzz(m, "-s 3 -n 12000 -c mount,umount2,chroot,chdir,fchdir,fchmodat,fchownat,mkdirat,unlinkat,renameat2,clone", 240)
    assert m.check(outside) == before
    nothing_left(m)
    m.poweroff()


def test_D4_epochs_without_a_call_are_a_failure(shell):
    """A sandbox cannot be made in /proc; half of the epochs have theirs in /tmp."""
    m = shell(smp=1, mem="256M")
    output = m.check("cd /proc; fuzz -n 8000 -c getpid; test $? = 1")
    assert re.search("epochs have ended before their first call", output)
    assert re.search(r"(?m)^fuzz: \d+ calls \d+ FAILED$", output)
    m.check("cd")
    nothing_left(m)
    m.poweroff()


def calls_made(boot, options: str) -> dict[int, str]:
    """Number and text of each call of process 0's stream, as -v says it."""
    m = boot(smp=1, extra=["-icount", "shift=0"])
    m.wait_prompt()
    output = fuzz(m, options, timeout=240)
    m.poweroff()
    return {int(number): text.strip() for number, text in CALL.findall(output)}


def test_D4_same_seed_same_calls(boot):
    first, second = calls_made(boot, "-s 5 -n 1024 -v"), calls_made(boot, "-s 5 -n 1024 -v")
    both = first.keys() & second.keys()
    assert len(both) > 400 and len(both) > 0.9 * max(len(first), len(second))
    assert {n: first[n] for n in both} == {n: second[n] for n in both}
    other = calls_made(boot, "-s 6 -n 1024 -v")
    assert sum(first[n] == other.get(n) for n in first) < len(first) / 4
    part = calls_made(boot, "-s 5 -i 0 -f 300 -l 320 -v")
    assert part and part.keys() <= set(range(300, 321))
    names = {n: text.partition("(")[0] for n, text in first.items()}
    assert all(text.partition("(")[0] == names[n] for n, text in part.items() if n in names)


def crash(boot, options: str) -> tuple[str, int]:
    """What the console said until the panic, and the number of the last call."""
    m = boot(kernel=kernel("kasan kcov"), mem="256M", append="panic=-1")
    m.wait_prompt()
    m.send_line(f"fuzz {options}")
    m.wait_end(timeout=400, crash_ok=True)
    assert re.search(r"(?m)^panic: kasan: out of bounds in (write_maze|set_cell)", m.before), m.before[-3000:]
    return m.before, int(CALL.findall(m.before)[-1][0])


def test_D4_planted_bug_is_found(boot):
    """One write in very many goes wrong. The log's last line is that call, and it alone does it again."""
    calls = "-s 3 -c write,pwrite64,writev -v"
    output, number = crash(boot, f"-n 150000 {calls}")
    assert number > 200  # it is not there for the taking
    again, same = crash(boot, f"-f {number} -l {number} {calls}")
    assert same == number and len(CALL.findall(again)) == 1


@pytest.mark.slow
def test_D4_guided_keeps_what_is_new(boot):
    """Of 10 and of 100 epochs: those are kept that pass what none did before, and the more epochs the more is seen."""
    m = boot(kernel=kernel("kcov", plant=False), mem="256M")
    m.wait_prompt()
    few, many = (re.search(r"fuzz: (\d+) edges seen, (\d+) epochs kept", fuzz(m, f"-g -s 7 -n {128 * epochs}", 400)).groups()
                 for epochs in (10, 100))
    assert 500 < int(few[0]) < int(many[0])
    assert 1 <= int(few[1]) <= 10 < int(many[1]) <= 100
    m.poweroff()


@pytest.fixture(scope="module")
def kcov_image(tmp_path_factory):
    """Our own programs, and tests/fuzz/kcov.c."""
    folder = tmp_path_factory.mktemp("kcov")
    program = images.build(paths.TOP / "tests/fuzz/kcov.c", folder / "kcov")
    image = folder / "fs.img"
    paths.run(paths.TOP / "mkfs/xv39", image, program,
              *(p for p in (paths.TOP / "build/user").iterdir() if p.is_file()), cwd=paths.TOP)
    return image


def functions_of(image, output: str, label: str) -> set[str]:
    return {function for function, _ in source_of(image, *re.findall(rf"(?m)^{label} ([0-9a-f]+)", output))}


def test_D4_kcov(boot, kcov_image):
    image = kernel("kcov", plant=False)
    m = boot(kernel=image, disks=[kcov_image])
    m.wait_prompt()
    output = m.check("kcov")
    getcwd, lseek, parent = (functions_of(image, output, label) for label in ("getcwd", "lseek", "parent"))
    assert "sys_getcwd" in getcwd and "sys_lseek" not in getcwd, output
    assert "sys_lseek" in lseek and "sys_getcwd" not in lseek, output
    assert "sys_wait4" in parent and "sys_getcwd" not in parent, output  # a child is not recorded
    for line in ("enabled before init EINVAL", "init again EBUSY", "mapping too long EINVAL", "disabled 0",
                 "disabled again EINVAL", "enabled twice EBUSY", "full 1", "nonsense 0"):
        assert re.search(rf"(?m)^{line}\s*$", output), output
    m.poweroff()
