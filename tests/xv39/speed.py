"""How fast this machine emulates, so that no time-out depends on it.

Once in a run a loop of fixed length is timed under QEMU, as every test's kernel will be. The time-outs in the tests
are meant for a machine that takes REFERENCE seconds; a slower (or busier) one gets more time in proportion, a
faster one no less. XV39_TIMEOUT_SCALE=3 sets the factor by hand.
"""
from __future__ import annotations

import os
import subprocess
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from . import paths

REFERENCE = 1.0  # seconds
LONGEST = 300.0  # a machine that needs longer cannot run these tests

# Run 1800 million instructions in S-mode, then have the firmware switch off (SBI SRST, shutdown).
PROGRAM = """
.globl _start
_start: li t0, 600000000
1:      addi t0, t0, -1
        xor t1, t1, t0
        bnez t0, 1b
        li a7, 0x53525354
        li a6, 0
        li a0, 0
        li a1, 0
        ecall
1:      j 1b
"""


@lru_cache(maxsize=None)
def factor() -> float:
    """What every time-out is multiplied with: 1 or more."""
    by_hand = os.environ.get("XV39_TIMEOUT_SCALE")
    if by_hand:
        return float(by_hand)
    return max(1.0, measure() / REFERENCE)


def measure() -> float:
    with tempfile.TemporaryDirectory() as folder:
        source, image = Path(folder, "loop.S"), Path(folder, "loop")
        source.write_text(PROGRAM)
        paths.run(paths.kernel_gcc(), "-march=rv64imac", "-mabi=lp64", "-nostdlib", "-static", "-no-pie",
                  "-Wl,-N,-Ttext=0x80200000,--build-id=none", "-o", image, source)
        start = time.monotonic()
        subprocess.run([paths.QEMU, "-machine", "virt", "-bios", "default", "-display", "none", "-serial", "none",
                        "-monitor", "none", "-no-reboot", "-kernel", str(image)],
                       stdin=subprocess.DEVNULL, timeout=LONGEST, check=True)
        return time.monotonic() - start
