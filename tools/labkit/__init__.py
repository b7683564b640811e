"""Labs: assignments made from this kernel by taking something out of it (handout), and their grading (grade)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))  # xv39: machines, paths, speed
