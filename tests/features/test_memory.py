"""M2, M4, M7: too little memory, and the picture of an address space."""
from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from xv39 import checks, speed

SVG = "{http://www.w3.org/2000/svg}"


def stress(m, options: str, seconds: int, slower: int = 1) -> None:
    output = m.check(f"memstress -x {math.ceil(slower * speed.factor())} {options} {seconds}", timeout=180 + 3 * seconds)
    assert re.search(r"(?m)^memstress: ok, \d+ steps$", output), output
    # Who is killed for want of memory is the one that takes it all: the others say so when they are.
    killed = len(re.findall(r"out of memory: killed memstress", output))
    assert f"the greedy one was killed {killed} times" in output, output


@pytest.mark.parametrize("smp", [1, 4])
def test_M7_stress(shell, smp):
    m = shell(smp=smp, mem="64M")
    stress(m, "-g -c 4", 8)
    m.poweroff()


@pytest.mark.slow
@pytest.mark.parametrize("smp, check", [(1, ""), (8, ""), (8, "leak")])
def test_M7_long_stress(shell, smp, check):
    m = shell(smp=smp, mem="64M", **({"kernel": checks.kernel(check)} if check else {}))
    stress(m, "-g", 1800 if smp == 8 else 300, slower=5 if check else 1)
    if check:
        checks.assert_nothing_lost(m)
    m.poweroff()


@pytest.mark.parametrize("mem, names", [
    ("64M", "M3_array_of_1_GiB M7_mapped_file_larger_than_memory M7_written_under_pressure "
            "M7_locked_pages_stay"),
    ("32M", "M7_file_coherence M7_used_pages_survive M7_out_of_memory_kills_the_greedy")])
@pytest.mark.parametrize("smp", [1, 4])
def test_M3_M7_in_little_memory(shell, smp, mem, names):
    m = shell(smp=smp, mem=mem)
    checks.usertests(m, names)
    m.poweroff()


@pytest.mark.slow
def test_M7_files_of_1_gib_in_64_mib(shell):
    m = shell(smp=4, mem="64M")
    checks.usertests(m, "M7_mapped_file_of_1_GiB M7_read_file_of_1_GiB", timeout=1200)
    m.poweroff()


@pytest.mark.parametrize("smp", [1, 4])
def test_M9_poison(shell, smp):
    """Freed memory is overwritten and looked at: nothing of the kernel uses what it no longer has."""
    m = shell(smp=smp, append="poison")
    checks.usertests(m, "M2_fork_chain M4_both_write M6_hammer M8_races_with_death M9_free_blocks_are_shown "
                        "T8_pidfd_never_another F3_racing_renames F3_name_storm", timeout=300)
    assert "tunables    0    0" in m.check("cat /proc/slabinfo")
    m.poweroff()


def test_M4_vmmap(shell):
    m = shell(smp=2)
    m.check("sleep 1000 & true")
    asleep = r"(?m)^ *(\d+) .* nanosleep +sleep 1000$"
    pid = re.search(asleep, m.until("ps", asleep))[1]
    regions = re.findall(r"(?m)^([0-9a-f]+)-([0-9a-f]+) (....) .*?(\S*)$", m.check(f"cat /proc/{pid}/maps"))
    tables = m.check(f"cat /proc/{pid}/tables").splitlines()
    text = m.check(f"vmmap {pid}")
    assert len(regions) > 4 and len(tables) >= 2, text
    for start, end, rights, name in regions:
        name = re.escape(name) if name.startswith(("/", "[")) else "anonymous"
        assert re.search(rf"(?m)^{start:0>10}-{end:0>10} {rights} .* in memory +{name}$", text), (start, text)
    assert len(re.findall(r"(?m)^[0-9a-f]{10} +\d+ pages, (its own|shared by \d|was shared)", text)) == len(tables), text
    assert re.search(r"\|.*[fF].*\|", text) and re.search(r"\|.*[#+].*\|", text), text
    picture = ElementTree.fromstring(m.check(f"vmmap -s {pid}"))
    groups = [group.get("class") for group in picture.iter(f"{SVG}g")]
    assert picture.tag == f"{SVG}svg", picture.tag
    assert (groups.count("region"), groups.count("table")) == (len(regions), len(tables)), groups
    assert all("owners" in title.text for title in picture.iter(f"{SVG}title"))
    assert m.run("vmmap 99999")[0] == 1
