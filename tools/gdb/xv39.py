"""xv39's helpers for gdb; .gdbinit sources this file. the command `xv39` lists the others.

Each module of helpers/ defines commands when it is imported. gdb's own Python is all that they need.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from helpers import files, locks, memory, printers, programs, tasks, trace  # noqa: E402,F401
