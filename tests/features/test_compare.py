"""S4 to S7: make compare-schedulers, a short one. Time is counted in instructions, so what it shows does not depend on the host."""
from __future__ import annotations

import importlib.machinery
import importlib.util
import re

import pytest

from xv39 import paths, speed

TOOL = paths.TOP / "tools/compare-schedulers"


def tool():
    loader = importlib.machinery.SourceFileLoader("compare_schedulers", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    page = tmp_path_factory.mktemp("compare") / "page.html"
    done = paths.run(TOOL, "--kernel", paths.KERNEL, "--image", paths.FSIMG, "--seconds", 2, "--qemu", paths.QEMU, "--out", page,
                     timeout=600 * speed.factor())
    return done.stdout, page.read_text()


@pytest.mark.slow
def test_S4_S5_S6_what_it_shows(compared):
    said, page = compared
    median = {c: int(us) for c, us in re.findall(r"(?m)^(\w+) +interactive: median (\d+)", said)}
    assert median["rr"] > 10_000 > median["o1"] and median["cfs"] < 10_000, said  # behind four turns of 10 ms
    bars = [float(percent) for percent in re.findall(r">([\d.]+) %<", page.split("Latency")[0])]
    shares = {c: bars[i::3] for i, c in enumerate(("rr", "o1", "cfs"))}
    assert max(shares["rr"]) - min(shares["rr"]) < 3  # nice means nothing
    ideal = [1024 * 1.25 ** -nice for nice in (0, 0, -5, 5, 10)]
    for got, wanted in zip(shares["cfs"], ideal):
        assert abs(got - 100 * wanted / sum(ideal)) < 3, shares
    assert shares["o1"][2] > 2 * shares["o1"][0] and shares["o1"][0] > shares["o1"][4], shares


@pytest.mark.slow
def test_S7_the_page_stands_alone(compared):
    page = compared[1]
    assert page.count("<svg") == 4 and not re.search(r"https?://|<script|src=", page)
    assert "nan" not in page.lower() and all(f">{c}<" in page for c in ("rr", "o1", "cfs"))


def test_S4_reading():
    t = tool()
    tasks = t.read("boot text\ntask a b batch nice -5 cpu 10 voluntary 1 involuntary 2\r\nlate a b 3 4\nlate a b 5\nend 12\n")
    assert tasks == [t.Task("a b", "batch", -5, 10, 1, 2, [3, 4, 5])]
    with pytest.raises(t.Failed, match="last lines:\npanic: no"):
        t.read("panic: no\n")
    assert [t.percentile([5, 1, 3], part) for part in (0.01, 0.5, 1)] == [1, 3, 5]
