"""The wheel: what is in it, and that it works with another package's plugins beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

EXAMPLE = ROOT / "examples" / "plugin-package"
LEFT_OUT = (".git", ".tox", ".venv", "build", "*.egg-info", "__pycache__", "leaderboards", "tests")


def run(*words: object, cwd: Path, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "BENCH_STORE")}
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ours and that of the example, built from copies: a build leaves things in its folder."""
    place = tmp_path_factory.mktemp("wheels")
    for number, source in enumerate((ROOT, EXAMPLE)):
        copy = place / f"source-{number}"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        alone = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
        run(sys.executable, "-m", "pip", "wheel", *alone, "-w", place / "out", copy, cwd=place)
    return sorted((place / "out").glob("*.whl"))


@pytest.mark.slow
def test_its_top_level_is_bench_and_metadata(wheels: list[Path]) -> None:
    [ours] = [path for path in wheels if path.name.startswith("t2i_defense_bench-")]
    with zipfile.ZipFile(ours) as wheel:
        names = wheel.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bench"}
    assert len(tops) == 2
    assert {"bench/py.typed", "bench/_shipped/attacks/loss.py"} <= set(names)
    assert not any("test" in Path(name).name for name in names)


@pytest.fixture(scope="module")
def installed(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with both; what is heavy comes from the one that the tests run in."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    alone = ("--no-deps", "--no-index", "--quiet")
    command = (sys.executable, "-m", "pip", "--python", python, "install", *alone, *wheels)
    run(*command, cwd=place)
    # Behind the environment's own packages; paths of editable installs are not followed.
    site = next(place.glob("lib/python*/site-packages"))
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(outer))
    return python


@pytest.mark.slow
def test_it_runs_the_main_job_with_a_package_s_plugins(
    installed: Path, tiny_base: Path, tmp_path: Path
) -> None:
    bench = (installed, "-m", "bench")
    where = run(installed, "-c", "import bench; print(bench.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    listed: Any = json.loads(run(*bench, "list", "attacks", "--format", "json", cwd=tmp_path))
    origins = {row["name"]: row["origin"] for row in listed["rows"]}
    assert origins["late_loss"] == "bench-example 0.1.0"
    asked = ("--defense", "first_words", "--attack", "late_loss", "--attack", "clid_th")
    tiny = ("--data", "scenes:n=120", "--recipe", "quick", "--base", tiny_base, "--samples", 16)
    there = ("--store", tmp_path / "store", "--workers", 1, "--format", "json")
    out = run(*bench, "run", *asked, *tiny, *there, cwd=tmp_path, OMP_NUM_THREADS="1")
    rows = {(row["defense"], row["attack"]) for row in json.loads(out)["rows"]}
    assert rows == {("first_words", "clid_th"), ("first_words", "late_loss")}
    run(*bench, "test", "late_loss", cwd=tmp_path, OMP_NUM_THREADS="1")
