"""Faults that programs handle, and messages that wait for nobody: the programs over them, on one hart and on several, under each fair class."""
from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("smp", [1, 4])
def test_M8_forks_of_programs(shell, smp):
    m = shell(smp=smp)
    output = m.check("dumbfork")
    assert output.count("I am the parent") == 5 and output.count("I am the child") == 10, output
    assert "10 rounds were its own" in output
    output = m.check("cowfork")
    assert "the child wrote 3 and copied 3" in output and "15 processes" in output, output


@pytest.mark.parametrize("sched", ["cfs", "o1", "rr"])
@pytest.mark.parametrize("smp", [1, 4])
def test_I9_pingpong_and_primes(shell, smp, sched):
    m = shell(smp=smp, append=f"sched={sched}")
    for option in "", "-c ":
        output = m.check(f"pingpong {option}10")
        assert re.findall(r"sends (\d+) to", output) == [str(n) for n in range(10)], output
        assert "101 messages" in m.check(f"pingpong {option}100")
    primes = [n for n in range(2, 61) if all(n % d for d in range(2, n))]
    assert m.check("primes 60").split() == [str(n) for n in primes]
    m.check("usertests I9_ipc_call_fair I9_ipc_call I9_ipc_many_senders", timeout=180)
