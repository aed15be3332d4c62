"""SIGKILL at twenty random moments: the weights are those of a training that nobody disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment_of_bench

SCRIPT = Path(__file__).with_name("kills.py")


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(tiny_base, tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, tiny_base, tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | environment_of_bench(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, checkpoints = map(int, done.stdout.split())
    assert kills == 20
    assert checkpoints > kills // 2  # they went on from different ones
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert set(whole) == {"unet.safetensors", "unet-0009.safetensors"}
    ended = sorted(tmp_path.glob("out-*"))
    assert ended
    for folder in ended:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
