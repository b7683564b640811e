"""T1, T4, T9, T10, S6: our tools that show and change tasks: ps, tasks, kill, nice, renice."""
from __future__ import annotations

import re

import pytest

from xv39.machine import PROMPT

ROW = re.compile(r"(?m)^ *(\d+) +(\d+) ([RSDTtZ]) +(-?\d+) +(-?\d+) +(\d+) +(\d+\.\d) +\d+:\d\d\.\d\d +\d+ +(\d+) (\S+)$")


def rows(output: str) -> list[dict]:
    """The last list that tasks printed."""
    names = ("pid", "ppid", "state", "priority", "nice", "hart", "share", "threads", "name")
    return [dict(zip(names, row)) for row in ROW.findall(output.split(" NAME\n")[-1])]


@pytest.mark.parametrize("smp", [1, 4])
def test_S6_tasks_shows_who_runs(shell, smp):
    m = shell(smp=smp)
    m.check("yes >/dev/null & true")

    def good(said: str) -> bool:
        """Not if the host stopped the machine while tasks was looking, which then is who ran, or looked at yes too late."""
        shares = [float(row["share"]) for row in rows(said)]
        idle = float(re.findall(r"([\d.]+) % idle", said)[-1])
        return rows(said)[0]["name"] == "yes" and shares[0] > 70 and sum(shares) <= 100 * smp + 10 and 100 - idle > 70 / smp

    output = m.until("tasks -d 0.5 -n 3", good, 10)
    m.check("kill %1")
    found = rows(output)
    assert output.count("tasks: up ") == 3 and len(found) >= 6, output
    shares = [float(row["share"]) for row in found]
    assert shares == sorted(shares, reverse=True), output
    assert all(int(row["hart"]) < smp for row in found)
    kernel = next(row for row in found if row["name"] == "[kthreadd]")
    assert (kernel["pid"], kernel["ppid"], kernel["threads"]) == ("2", "0", "1")
    user, system, idle = map(float, re.findall(r"harts: (.+) % user, (.+) % system, (.+) % idle", output)[-1])
    assert 99 < user + system + idle < 101, output


def test_F7_tasks_on_the_terminal(shell):
    m = shell()
    m.send_line("tasks -d 100")
    m.expect(r"\[ksoftirqd/0\]")
    m.send(" ")  # looks again at once
    m.expect(r"\[ksoftirqd/0\]")
    m.send("q")
    m.expect(PROMPT)
    assert m.check("echo seen") == "seen\n"


def test_T4_ps_threads(shell):
    m = shell()
    lines = m.check("ps -T 1 2").splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["1", "1"], ["2", "2"]], lines
    assert lines[0].split()[1] == "TID" and lines[2].endswith("[kthreadd]"), lines
    m.check("for i in 1 2 3 4 5 6 7 8; do threaddemo race; done >/dev/null & true")
    m.check("for i in $(seq 40); do ps -T; done >/tmp/seen; wait")
    seen = [line.split() for line in m.check("grep threaddemo /tmp/seen").splitlines()]
    assert any(row[0] != row[1] for row in seen), seen
    assert m.run("ps 9999")[0] == 1


def test_T10_kill_names(shell):
    m = shell()
    for kill in ("kill", "/bin/kill"):
        assert m.check(f"{kill} -l 9 sigterm USR1 137 RTMIN+2") == "KILL\n15\n10\nKILL\n34\n"
        assert re.search(r"(?m)^ 9 KILL .*15 TERM +16 STKFLT", m.check(f"{kill} -l"))
        assert "no such signal" in m.run(f"{kill} -NONE 1")[1]
        assert m.run(f"{kill} -0 1")[0] == 0
        assert m.run(f"{kill} -0 9999")[0] == 1 and m.run(f"{kill} x")[0] == 1 and m.run(kill)[0] == 2


def test_T10_kill_of_a_group(shell):
    """Each job of an interactive shell is a group, named by its first process."""
    m = shell()
    m.check("sleep 1000 | sleep 1000 & true")
    sleeping = m.until("ps", lambda said: len([line for line in said.splitlines() if line.endswith("sleep 1000")]) == 2)
    groups = {line.split()[2] for line in sleeping.splitlines() if line.endswith("sleep 1000")}
    assert len(groups) == 1, sleeping
    m.check(f"kill -INT -{groups.pop()}; wait")
    assert "sleep" not in m.check("ps")


def test_S6_nice_and_renice(shell):
    m = shell()
    assert m.check("nice; nice nice; nice -n 5 nice -n -3 nice; nice -n 99 nice") == "0\n10\n2\n19\n"
    assert m.run("nice /nowhere")[0] == 127
    m.check("nice -n 3 sleep 1000 & echo $! >/tmp/pid")
    m.until("tasks -n 1", lambda said: "sleep" in [row["name"] for row in rows(said)])
    nice = lambda: next(row["nice"] for row in rows(m.check("tasks -n 1")) if row["name"] == "sleep")
    assert nice() == "3"
    m.check("renice -n 7 -p $(cat /tmp/pid)")
    assert nice() == "7"
    m.check("renice 9 -g $(cat /tmp/pid)")
    assert nice() == "9"
    assert m.run("renice 5 9999")[0] == 1
    m.check("kill %1")
