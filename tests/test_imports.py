"""What is loaded when: the command line answers before anything heavy is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "diffusers", "transformers", "pandas", "scipy")
REPORT = """
import atexit, json, os, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
"""


def loaded(code: str, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", REPORT + code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_report_would_notice() -> None:
    assert "scipy" in loaded("import scipy")


@pytest.mark.parametrize(
    "code",
    ["import bench.cli.app", "import bench", "import bench.api", "from bench import Attack"],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    assert loaded(code).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("run", "--help"),
        ("--version",),
        ("list", "attacks"),
        ("list", "defenses"),
        ("list", "data"),
        ("list", "bases"),
        ("list", "recipes"),
        ("show", "clid_th"),
    ],
    ids=" ".join,
)
def test_reading_verbs_load_nothing_heavy(words: tuple[str, ...]) -> None:
    assert loaded("from bench.__main__ import main\nmain()", *words).isdisjoint(HEAVY)


def test_public_names_are_there_and_no_others() -> None:
    for name in bench.__all__:
        assert getattr(bench, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        bench.nothing_of_the_kind  # noqa: B018
