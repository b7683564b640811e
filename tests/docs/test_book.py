"""D5: the book as it is made: pictures are what their sources say, the page works in a browser without network, the PDF is whole."""
from __future__ import annotations

import html
import importlib.machinery
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from xv39 import paths, speed

TOP = paths.TOP
sys.path.insert(0, str(TOP / "tools/book"))
import drawing  # noqa: E402
import excerpts  # noqa: E402

BROWSER = paths.find_tool("chromium", "chromium-browser", "google-chrome")
in_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium: make setup")
with_pandoc = pytest.mark.skipif(paths.find_tool("pandoc") is None, reason="no pandoc: make setup")


def tool(name: str):
    """A tool as a module: it has no suffix."""
    loader = importlib.machinery.SourceFileLoader(Path(name).name.replace("-", "_"), str(TOP / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def browse(folder: Path, markup: str, script: str, size: str):
    """What the script, which runs at the end of the page and sets `found`, has found."""
    page = folder / "probed.html"
    page.write_text(markup + f"""<script type="module">let found = {{}};
try {{ {script} }} catch (error) {{ found = {{ error: String(error) + error.stack }}; }}
const out = document.createElement("pre"); out.id = "probe"; out.textContent = JSON.stringify(found);
document.body.append(out);</script>""")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={size}", f"--user-data-dir={folder / 'profile'}",
         "--virtual-time-budget=10000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=120 * speed.factor())
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not console, "\n".join(console)
    match = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert match, done.stderr[-2000:]
    found = json.loads(html.unescape(match[1]))
    assert "error" not in found, found
    return found


# ---- pictures

def test_pictures_are_what_their_sources_say():
    done = subprocess.run([TOP / "tools/book/draw", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    made = {path.stem for path in drawing.sources()} | {"costs"}  # by tests/bench/plot.py, of figures
    drawn = {path.stem for path in (TOP / "docs/img").glob("*.svg")}
    made.add("costs")  # make bench BASELINE=write draws it
    assert made == drawn, "a source without a picture, or a picture without a source"


def test_a_mistake_in_a_drawing_is_said(tmp_path):
    for text, said in [("title x\nrow\n nosuch - a", "no style nosuch"), ("title x\nrow\n room a b\na -> c", "no cell c"),
                       ("row\n room a b", "no title"), ("title x\nwhat is this", "what is what")]:
        (tmp_path / "x.draw").write_text(text)
        with pytest.raises(drawing.Mistake, match=said):
            drawing.Drawing(tmp_path / "x.draw")


@in_browser
def test_the_text_of_pictures_fits_into_their_frames(tmp_path):
    # Each has its own styles, which must not reach the others.
    pictures = "".join(f'<div id="{path.stem}"><template shadowrootmode="open">{path.read_text()}</template></div>' for path in sorted((TOP / "docs/img").glob("*.svg")))
    found = browse(tmp_path, f"<!DOCTYPE html><meta charset=utf-8><body>{pictures}", """
      found.out = []; found.texts = 0;
      for (const div of document.querySelectorAll("div")) {
        const svg = div.shadowRoot.querySelector("svg");
        const whole = svg.getBoundingClientRect();
        for (const text of svg.querySelectorAll("text")) {
          const box = text.getBoundingClientRect(), room = Number(text.dataset.room || 1e9);
          found.texts++;
          if (box.width > room + 1 || box.right > whole.right + 1 || box.left < whole.left - 1 || box.bottom > whole.bottom + 1)
            found.out.push(div.id + ": " + text.textContent);
        }
      }""", "1600,1200")
    assert found["texts"] > 200 and found["out"] == []


def test_floors_are_drawn_as_they_are_checked():
    layers = tool("check-layers")
    rows: dict[int, list[int]] = {}
    for cell in drawing.Drawing(drawing.SOURCES / "floors.draw").cells:
        if match := re.search(r"(\w+)/(?: \((\S+)\))?$", cell.lines[0]):
            rows.setdefault(cell.row, []).append(layers.FLOOR_OF[layers.entry(f"{match[1]}/{match[2] or 'any.c'}")])
    numbers = list(rows.values())
    assert len(numbers) > 10 and all(min(upper) > max(lower) for upper, lower in zip(numbers, numbers[1:])), rows


def test_the_poster_has_every_drawing():
    poster = drawing.Drawing(TOP / "tools/book/poster.draw")
    shown = {inner.source for cell in poster.cells for inner in cell.drawings}
    assert shown == {path for path in drawing.sources() if path.suffix == ".draw"}


def alike(text: str) -> list[str]:
    """A line of a console without what differs from run to run."""
    return re.sub(r"[0-9a-f]*\d[0-9a-f]*", "N", re.sub(r"\b[RSD]\b", "S", text)).split()


@pytest.mark.skipif(not (paths.KERNEL.exists() and paths.FSIMG.exists()), reason="no kernel")
def test_the_console_in_the_readme_is_what_one_sees(shell):
    lines = [line for line in (drawing.SOURCES / "session.console").read_text().splitlines() if not line.startswith("#:")]
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    assert typed[-1] == "poweroff"
    machine = shell(smp=2)
    for command in typed[:-1]:
        machine.check(command)
    seen = [alike(line) for line in machine.text().splitlines()]
    missing = [line for line in lines if not line.startswith("$ ") and alike(line) not in seen]
    assert missing == []


# ---- the page

@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    paths.run(TOP / "tools/book/build", folder, "--html-only")
    return folder / "xv39.html"


@with_pandoc
def test_page_has_all_chapters_and_needs_nothing_beside_it(page):
    text = page.read_text()
    for chapter in excerpts.chapters():
        assert f'id="{chapter.stem.lower()}"' in text, chapter
    outside = [link for link in re.findall(r'(?:src|href)="([^"]*)"', text) if not link.startswith(("#", "data:", "http"))]
    assert outside == []
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="http|@import|url\(', text)


@with_pandoc
def test_a_wrong_link_ends_the_build():
    book = tool("book/build")
    book.check_links('<h1 id="a"></h1><a href="#a">x</a><a href="https://x/#y">y</a>')
    for wrong in ['<a href="#b">x</a>', '<h1 id="a"></h1><h2 id="a"></h2>']:
        with pytest.raises(book.Wrong):
            book.check_links(wrong)


LOOK = """
  const wide = document.documentElement, inner = innerWidth;
  found.width = [wide.scrollWidth, inner];
  found.out = [...document.querySelectorAll("main *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && box.right > inner + 1 && !e.closest("pre, .table");
  }).map(e => e.tagName + " " + e.textContent.slice(0, 60)).slice(0, 20);
  found.dead = [...document.querySelectorAll('a[href^="#"]')].filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.href);
  found.links = document.querySelectorAll('main a[href^="#"]').length;
  found.pictures = [...document.images].map(i => [i.dataset.file, i.naturalWidth]);
  found.network = performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).map(e => e.name);
  const field = document.getElementById("search"), list = document.getElementById("found");
  const type = text => { field.value = text; field.dispatchEvent(new Event("input")); return [...list.querySelectorAll("a")].map(a => a.textContent); };
  const section = link => { let text = ""; const head = document.getElementById(link.hash.slice(1));
    for (let e = head; e && (e === head || !/^H[123]$/.test(e.tagName)); e = e.nextElementSibling) text += e.textContent.toLowerCase();
    return text; };
  found.name = type("waitq_prepare").length; found.wrong = [...list.querySelectorAll("a")].filter(a => !section(a).includes("waitq_prepare")).length;
  found.title = type("copying from user memory")[0]; found.hidden = document.getElementById("contents").hidden;
  found.none = type("nosuchwordanywhere"); found.said = list.textContent;
  found.all = type("").length; found.back = !document.getElementById("contents").hidden && list.hidden;
"""


@in_browser
@with_pandoc
@pytest.mark.parametrize("size", ["1280,900", "500,800"])
def test_page_in_a_browser(page, tmp_path, size):
    found = browse(tmp_path, page.read_text(), LOOK, size)
    assert found["dead"] == [] and found["links"] > 50 and found["network"] == []
    assert found["out"] == [] and found["width"][0] <= found["width"][1], "wider than the window"
    assert all(width for _, width in found["pictures"]) and len(found["pictures"]) > 10
    assert found["name"] > 0 and found["wrong"] == 0, "each section that is found has the name"
    assert found["title"] == "Traps: Copying from and to user memory" and found["hidden"], "a heading goes first"
    assert found["none"] == [] and found["said"] == "nothing found" and found["all"] == 0 and found["back"]


# ---- the PDF

@pytest.mark.slow
@with_pandoc
@pytest.mark.skipif(paths.find_tool("weasyprint") is None, reason="no weasyprint: make setup")
def test_pdf(tmp_path):
    paths.run(TOP / "tools/book/build", tmp_path, timeout=600 * speed.factor())
    for name, least in [("xv39.pdf", 200_000), ("poster.pdf", 20_000)]:
        data = (tmp_path / name).read_bytes()
        assert data.startswith(b"%PDF") and b"%%EOF" in data[-64:] and len(data) > least, name
