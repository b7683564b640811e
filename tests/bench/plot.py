"""The picture and the table of docs/ipc.md: what one round trip through each mechanism costs, beside Linux's. Drawn from figures of `make bench`."""
from __future__ import annotations

import re
from pathlib import Path

ROWS = {"ipc.jos_rt": "rendezvous, call and answer", "ipc.futex_rt": "futex, two threads", "ipc.msg_rt": "System V messages", "ipc.mq_rt": "POSIX messages",
        "ipc.pipe_rt": "two pipes", "ipc.sem_rt": "System V semaphores", "ipc.unix_rt": "UNIX stream",
        "ipc.shm_at_dt": "shared memory, attach and detach", "sys.eventfd": "eventfd, write and read, no switch",
        "sys.epoll_1000": "epoll, one ready of 1,000"}
WIDTH, LEFT, BAR, STEP = 780, 250, 9, 30
STYLE = """text { font-family: system-ui, 'DejaVu Sans', sans-serif; font-size: 12px; fill: #17212b; } .number { font-size: 10px; } .right { text-anchor: end; }
.paper { fill: #ffffff; } .ours { fill: #2b6cb0; } .theirs { fill: #8b959f; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .paper { fill: #14191f; } .ours { fill: #7fb5e6; } .theirs { fill: #6c7782; } }"""


def bar(x: int, y: int, value: float, scale: float, whose: str) -> str:
    return (f'<rect class="{whose}" x="{x}" y="{y}" width="{value * scale:.1f}" height="{BAR}"/>'
            f'<text class="number" x="{x + value * scale + 5:.1f}" y="{y + BAR - 1}">{value:,.0f}</text>')


def picture(figures: dict[str, float | None], linux: dict[str, float]) -> str:
    rows = [(figures[name], linux.get(name), text) for name, text in ROWS.items() if figures.get(name)]
    scale = (WIDTH - LEFT - 60) / max(max(ours, theirs or 0) for ours, theirs, _ in rows)
    height = 40 + STEP * len(rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             f"<title>Instructions for one operation, xv39's beside Linux's</title><style>{STYLE}</style>",
             f'<rect class="paper" x="0" y="0" width="{WIDTH}" height="{height}"/>',
             f'<text x="{LEFT}" y="18">instructions for one operation: <tspan class="ours">xv39</tspan>, '
             f'<tspan class="theirs">Linux 6.12</tspan></text>']
    for i, (ours, theirs, text) in enumerate(rows):
        y = 30 + i * STEP
        parts += [f'<text x="{LEFT - 8}" y="{y + BAR + 3}" class="right">{text}</text>',
                  bar(LEFT, y, ours, scale, "ours"), bar(LEFT, y + BAR + 1, theirs, scale, "theirs") if theirs else ""]
    return "\n".join(parts + ["</svg>", ""])


def table(text: str, figures: dict[str, float | None], linux: dict[str, float]) -> str:
    """The text with these figures in its rows, | what | `row` | ours | Linux's | …"""
    def row(m: re.Match) -> str:
        ours, theirs = figures.get(m[2]), linux.get(m[2])
        return f"{m[1]}| {ours:,.0f} |{f' {theirs:,.0f} ' if theirs else ' '}|" if ours else m[0]

    return re.sub(r"(?m)^(\|[^|]*\| `(\w+\.\w+)` )\|[^|]*\|[^|]*\|", row, text)


def write(path: Path, figures: dict[str, float | None], linux: dict[str, float]) -> None:
    if any(figures.get(name) for name in ROWS):
        path.write_text(picture(figures, linux))
