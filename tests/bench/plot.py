"""The picture of docs/ipc.md: what one round trip through each mechanism costs, beside Linux's. Drawn from figures of `make bench`."""
from __future__ import annotations

from pathlib import Path

ROWS = {"ipc.jos_rt": "rendezvous, call and answer", "ipc.futex_rt": "futex, two threads", "ipc.msg_rt": "System V messages", "ipc.mq_rt": "POSIX messages",
        "ipc.pipe_rt": "two pipes", "ipc.sem_rt": "System V semaphores", "ipc.unix_rt": "UNIX stream",
        "ipc.shm_at_dt": "shared memory, attach and detach", "sys.eventfd": "eventfd, write and read, no switch",
        "sys.epoll_1000": "epoll, one ready of 1,000"}
TITLE = "Instructions for one operation of each mechanism, beside Linux"
WIDTH, LEFT, BAR, STEP = 760, 230, 9, 30


STYLE = """<style>
  text { fill: #222; } .paper { fill: #fff; } .ours { fill: #2b6cb0; } .theirs { fill: #999; }
  @media (prefers-color-scheme: dark) { text { fill: #ddd; } .paper { fill: #1b1b1b; } .ours { fill: #63b3ed; } .theirs { fill: #777; } }
</style>"""


def bar(x: int, y: int, value: float, scale: float, whose: str) -> str:
    return (f'<rect x="{x}" y="{y}" width="{value * scale:.1f}" height="{BAR}" class="{whose}"/>'
            f'<text x="{x + value * scale + 5:.1f}" y="{y + BAR - 1}" font-size="10">{value:,.0f}</text>')


def picture(figures: dict[str, float | None], linux: dict[str, float]) -> str:
    rows = [(figures[name], linux.get(name), text) for name, text in ROWS.items() if figures.get(name)]
    scale = (WIDTH - LEFT - 60) / max(max(ours, theirs or 0) for ours, theirs, _ in rows)
    height = 40 + STEP * len(rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"',
             f' aria-label="{TITLE}" font-family="sans-serif" font-size="12">', f"<title>{TITLE}</title>",
             STYLE, f'<rect width="{WIDTH}" height="{height}" class="paper"/>',
             f'<text x="{LEFT}" y="18">instructions for one operation: <tspan class="ours">xv39</tspan>, '
             f'<tspan class="theirs">Linux 6.12</tspan></text>']
    for i, (ours, theirs, text) in enumerate(rows):
        y = 30 + i * STEP
        parts += [f'<text x="{LEFT - 8}" y="{y + BAR + 3}" text-anchor="end">{text}</text>',
                  bar(LEFT, y, ours, scale, "ours"), *([bar(LEFT, y + BAR + 1, theirs, scale, "theirs")] if theirs else [])]
    return "\n".join(parts + ["</svg>", ""])


def write(path: Path, figures: dict[str, float | None], linux: dict[str, float]) -> None:
    if any(figures.get(name) for name in ROWS):
        path.write_text(picture(figures, linux))
