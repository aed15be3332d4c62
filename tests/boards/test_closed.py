"""A reader of the boards who leaves early spoils nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_pages_are_whole_though_nobody_reads_them(tmp_path: Path) -> None:
    words = ["leaderboard", "--entries", ROOT / "leaderboards/entries", "--out", tmp_path]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    process.stdout.close()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    for page in ("tiles-defenses.md", "tiles-attacks.md"):
        assert (tmp_path / page).read_text() == (ROOT / "leaderboards" / page).read_text()
