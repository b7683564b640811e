#!/usr/bin/env python3
"""What a batch has come to: one line for each submission, as CSV, and how many are still missing.

    python3 summary.py MARKS [LIST]
"""
import json
import sys
from pathlib import Path

marks = Path(sys.argv[1])
folders = sorted(path for path in marks.iterdir() if path.is_dir())
expected = len(Path(sys.argv[2]).read_text().split()) if len(sys.argv) > 2 else len(folders)
done = 0
for folder in folders:
    results = folder / "results.json"
    if not results.exists():
        continue
    data = json.loads(results.read_text())
    failed = [test["name"].split(":")[0] for test in data["tests"] if test["status"] != "passed"]
    print(f'{folder.name},{data["score"]:g},"{" ".join(failed)}"')
    done += 1
print(f"{done} of {expected} are graded", file=sys.stderr)
