"""Every error message that these tests provoke stands in a file, where it can be read through.

A message that is not there, or one there that nothing provokes any more, is an error at the end
(the second where one process runs all of tests/cli).
Written anew, after reading what changed: BENCH_GOLDEN=write pytest tests/cli
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run_here

GOLDEN = ROOT / "tests" / "golden" / "errors.txt"
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def cli(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Any]]:
    """`bench ...` in this process; its errors are held against the golden file."""
    said: set[str] = set()
    top = re.escape(str(tmp_path_factory.getbasetemp()))

    def run(*words: object) -> Any:
        ended = run_here(*words)
        lines = (line for line in ended.err.splitlines() if line.startswith("error: "))
        said.update(f"{ended.code}  {_same_everywhere(line, top)}" for line in lines)
        return ended

    yield run
    if os.environ.get("BENCH_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text("\n".join(sorted(said)) + "\n", encoding="utf-8")
    known = set(GOLDEN.read_text(encoding="utf-8").splitlines())
    assert said <= known, f"errors that {GOLDEN} lacks: {sorted(said - known)}"
    if _all_ran(request.session):
        assert known <= said, f"errors that nothing provokes: {sorted(known - said)}"


def _same_everywhere(line: str, top: str) -> str:
    """Without what differs between machines and runs: places, hashes, who of several was first."""
    line = re.sub(rf"{top}/[^/\s:;,']+", "TMP", line).replace(str(ROOT), "CHECKOUT")
    line = re.sub(r"/tmp/[\w-]*?\w{8}(?=[/\s:;,'])", "TMP", line)
    line = re.sub(r"(?<=not in )\S+/hub\b", "HUB", line)
    line = re.sub(r"(?<=cannot be loaded: ).*(?=; copy)", "...", line)  # cut at a length
    line = re.sub(r"\b(on|train) (base|shadow|target) \(", r"\1 PART (", line)
    return re.sub(r"\b[0-9a-f]{8,64}\b", "HASH", line)


def _all_ran(session: pytest.Session) -> bool:
    """Whether every file here ran whole, so that what was not said is said no more.

    Never where several processes share the tests (pytest-xdist).
    """
    shared = hasattr(session.config, "workerinput")
    chosen = shared or session.config.option.keyword or session.testsfailed
    files = {item.path for item in session.items}
    whole = not any("::" in argument for argument in session.config.args)
    return whole and not chosen and {*HERE.glob("test_*.py")} <= files
