"""S13: the page of a trace in a browser without network: it shows what the kernel said, and hands find their way in it."""
from __future__ import annotations

import html
import json
import re
import subprocess
from collections import Counter

import pytest

from xv39 import paths, speed, traces

BROWSER = paths.find_tool("chromium", "chromium-browser", "google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium: make setup")

# Appended to the page: runs in it, and leaves what it found where --dump-dom shows it.
PROBE = """
<script type="module">
const found = {}, x = window.xv39, canvas = document.getElementById("canvas");
const details = () => document.getElementById("details").textContent;
const at = (name, place, more) => canvas.dispatchEvent(new (name === "wheel" ? WheelEvent : PointerEvent)(name,
  { clientX: place.x + canvas.getBoundingClientRect().left, clientY: place.y + canvas.getBoundingClientRect().top, bubbles: true,
    cancelable: true, pointerId: 1, ...more }));
const click = place => { at("pointerdown", place); at("pointerup", place); };
const key = name => dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true }));
try {
  %s
} catch (error) { found.error = String(error) + error.stack; }
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
</script>
"""

LOOK = """
  found.kinds = x.slices.map(s => s.kind);
  found.flows = x.flows.map(f => [x.slices[f.source].name, x.slices[f.target].kind, f.start, f.end]);
  found.network = performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).map(e => e.name);
  found.lanes = x.lanes;
  const pixels = () => { x.draw(); return canvas.toDataURL(); };
  const whole = pixels();
  // Click on the ends, the middle, and each kind once.
  found.clicked = [];
  const once = new Set();
  for (const s of x.slices) {
    if (once.has(s.kind)) continue;
    once.add(s.kind);
    x.fit(); x.select(s.number, true); key("z");
    const place = x.place(s.number);
    x.select(-1);
    click(place);
    found.clicked.push([s.number, x.selected, details().includes("duration")]);
  }
  const call = x.slices.find(s => s.kind === "sys" && s.name === "write" && x.flows.some(f => f.source === s.number));
  x.select(call.number, true);
  found.call = details();
  const target = x.flows.find(f => f.source === call.number).target;
  document.querySelector("#details a[data-slice='" + target + "']").click();
  found.followed = x.selected === target;
  found.target = details();
  // Zoom by wheel: what is under the pointer stays there.
  x.fit(); x.select(-1);
  const middle = x.view.width / 2, before = x.view;
  const time = v => v.from + (middle - 132) / (v.width - 132) * v.span;
  at("wheel", { x: middle, y: 60 }, { deltaY: -400 });
  found.zoomed = [before.span, x.view.span, time(before), time(x.view)];
  found.changed = pixels() !== whole;
  const right = x.view.from; key("ArrowRight"); found.right = x.view.from - right;
  at("pointerdown", { x: 600, y: 60 }); at("pointermove", { x: 500, y: 60 }); at("pointerup", { x: 500, y: 60 });
  found.dragged = x.view.from - right; found.afterDrag = x.selected;
  const span = x.view.span; key("+"); found.plus = x.view.span / span; key("-"); key("-"); found.minus = x.view.span / span;
  key("0"); for (let i = 0; i < 9; i++) key("PageUp");
  found.fit = x.view.span === before.span && pixels() === whole;
  const last = x.slices.filter(s => s.kind === "running").at(-1), all = x.lanes.length;
  document.getElementById("busy").click(); x.select(last.number, true); key("z"); x.draw();
  found.busy = [x.lanes.length, all, x.lanes.includes(x.tracks[last.track].label)];
  document.getElementById("busy").click(); key("0"); key("Escape");
  const field = document.getElementById("filter");
  field.value = "traced"; field.dispatchEvent(new Event("input"));
  found.filtered = x.lanes;
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  found.turn = x.slices[x.selected].kind + " " + x.tasks[x.slices[x.selected].task].comm;
  field.value = "nobody at all"; field.dispatchEvent(new Event("input"));
  found.none = x.lanes; x.draw();
  field.value = ""; field.dispatchEvent(new Event("input"));
"""


def browse(folder, page, script: str) -> dict:
    probed = folder / "probed.html"
    probed.write_text(page.read_text() + PROBE % script)
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1200,800", f"--user-data-dir={folder / 'profile'}",
         "--virtual-time-budget=10000", "--dump-dom", probed.as_uri()],
        capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=120 * speed.factor())
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, "\n".join(console)
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    assert match, done.stderr[-2000:]
    found = json.loads(html.unescape(match[1]))
    assert "error" not in found, found["error"]
    return found


def test_S13_page(t, tmp_path):
    found = browse(tmp_path, t.html, LOOK)
    assert found["network"] == []
    said, shown = Counter(e.name for e in t.trace.events), Counter(found["kinds"])
    for kind in ("sys", "fault", "irq", "block", "lock"):
        assert shown[kind] == said[kind] + sum(s.cut & traces.BEGIN_CUT for s in t.story.slices if s.kind == kind)
    # Each switch begins one turn, and there was one on each hart before its first switch.
    assert shown["run"] + shown["idle"] == said["switch"] + t.trace.harts
    assert len(found["flows"]) == len(t.story.flows)
    assert all(kind == "running" and start <= end for _, kind, start, end in found["flows"])
    assert sum(name == "write" for name, *_ in found["flows"]) >= 10
    assert [lane for lane in found["lanes"] if lane.startswith("hart")] == ["hart 0", "hart 1"]
    assert {str(task) for task in t.story.tasks} <= set(found["lanes"])

    assert len(found["clicked"]) >= 6 and all(number == got and told for number, got, told in found["clicked"])
    assert "write(" in found["call"] and "result" in found["call"] and "wakes" in found["call"]
    assert found["followed"] and "woken by" in found["target"] and "write" in found["target"]

    before, after, time_before, time_after = found["zoomed"]
    assert after < before / 2 and abs(time_before - time_after) < before / 1000
    assert found["changed"] and found["fit"]
    assert found["right"] > 0 and found["dragged"] > found["right"] and found["afterDrag"] == -1
    assert found["plus"] < 0.7 and found["minus"] > 1.4
    assert {lane.split()[0] for lane in found["filtered"] if lane[-1].isdigit() and "hart" not in lane} == {"traced"}
    fewer, every, there = found["busy"]
    assert 3 <= fewer < every and there
    assert found["turn"] == "running traced"
    assert all(lane.startswith(("hart", "vd")) for lane in found["none"])


def test_S13_page_of_200000_events(tmp_path):
    """All is there, and a picture of the whole draws no more than it has pixels for."""
    lines, now = [], 2000
    for number in range(200_000 // 8):
        lines += [f"{now} 0 5 sys nr=63 name=read a0=0x3 a1=0x1000 a2=0x1",
                  f"{now + 100} 0 5 switch state=S preempted=0 wchan=\"pipe_read\" next=0",
                  f"{now + 200} 1 6 sys nr=64 name=write a0=0x3 a1=0x1000 a2=0x1",
                  f"{now + 300} 1 6 wake tid=5 hart=0", f"{now + 400} 1 6 sys_end nr=64 name=write ret=1",
                  f"{now + 500} 0 0 switch state=R preempted=1 next=5", f"{now + 600} 0 5 sys_end nr=63 name=read ret=1",
                  f"{now + 700} 0 5 text \"{number}\""]
        now += 1000
    story = traces.by_hand("\n".join(lines), off=now)
    page = tmp_path / "t.html"
    with page.open("w") as out:
        traces.page.write(story, out, {"command": "many"})
    found = browse(tmp_path, page, """
      found.counts = [x.slices.length, x.flows.length, x.instants.length];
      x.fit(); x.draw(); found.whole = x.drawn;
      while (x.view.span > 20000) x.zoom(2, 600);
      x.draw(); found.near = x.drawn;
    """)
    assert found["counts"] == [len(story.slices), len(story.flows), len(story.instants)]
    assert len(story.flows) == 25_000 and found["counts"][0] > 100_000
    assert found["whole"] < 20_000 and 0 < found["near"] < 2000
