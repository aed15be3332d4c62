"""Broken plugins beside good ones: the good cell comes out, the broken one is told in one line.

All of them lie in one folder. Those that cannot be loaded are in nobody's way; those that load and
fail are asked for in one command together with a good one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LOADS = """
import os, sys
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from bench import Attack


@dataclass
class Odd(Attack):
    name: ClassVar[str] = "{name}"

    def features(self, target, pairs{more}):
        found = -target.losses(pairs, [400])
        {features}
        return found

    def score(self, features):
        {score}
        return features[:, 0]
"""
RUNS = {
    "wrong_signature": ({"more": ", seed"}, "missing 1 required positional argument: 'seed'"),
    "wrong_shape": ({"features": "found = found[:, 0]"}, ", not ("),
    "nan_scores": ({"score": "features = features * np.nan"}, "one finite score a pair"),
    "writes_to_its_input": ({"score": "features[:] = 0"}, "read-only"),
    "leaves": ({"features": "raise SystemExit(0)"}, "SystemExit"),
    "dies": ({"features": "os._exit(9)"}, "it ended its process (exit code 9)"),
}
FINE = {"prints_megabytes": {"features": "print('x' * 4_000_000)"}}
"""Not broken, but loud: what it prints must not mix with the results."""

LOADED = {
    "syntax_error": ("def (", "SyntaxError"),
    "missing_dependency": ("import a_package_nobody_has", "a_package_nobody_has"),
    "raises_at_import": ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    "hangs_at_import": ("while True: pass", "its import did not end within 2 s"),
    "ends_the_process": ("import os\nos._exit(0)", "its import ended the process with exit code 0"),
}
"""Never ends well: the file is listed under its own name."""


def source(name: str, **parts: str) -> str:
    return LOADS.format(name=name, **{"more": "", "features": "pass", "score": "pass"} | parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("plugins")
    for name, (text, _) in LOADED.items():
        (place / f"{name}.py").write_text(text)
    for name, parts in {**{name: parts for name, (parts, _) in RUNS.items()}, **FINE}.items():
        (place / f"{name}.py").write_text(source(name, **parts))
    for number in (1, 2):
        (place / f"twin{number}.py").write_text(source("twice"))
    return place


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PLUGIN_SECONDS", "2")


@pytest.fixture(scope="module")
def ended(
    ran: Any, cli: Callable[..., Any], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """One command: all that load and fail, and a good one."""
    store = shutil.copytree(ran.store, tmp_path_factory.mktemp("stores") / "copied")
    odd = tmp_path_factory.mktemp("plugins") / "Größe 大"
    odd.mkdir()
    (odd / "мой.py").write_text(source("elsewhere"))
    names = [*RUNS, *FINE, f"{odd}/мой.py", "loss[t=9]"]
    asked = [word for name in names for word in ("--attack", name)]
    words = ("--plugins", folder, "--workers", 1, "--store", store, "--format", "csv")
    return cli("run", *ran.words, *asked, *words)


@pytest.mark.parametrize("name", RUNS)
def test_one_that_fails_is_told_and_the_good_row_comes_out(ended: Any, name: str) -> None:
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert "loss[t=9]" in ended.out
    told = [line for line in ended.err.splitlines() if line.startswith(f"error: {name}")
            or (line.startswith("error: ") and f"'{name}'" in line)
            or (line.startswith("error: scores") and name in line)]  # fmt: skip
    assert told
    assert all(RUNS[name][1] in line for line in told), told
    assert name not in ended.out


def test_megabytes_on_stdout_do_not_mix_with_the_results(ended: Any) -> None:
    assert "prints_megabytes" in ended.out
    assert len(ended.out) < 100_000


def test_a_path_that_is_not_ascii(ended: Any) -> None:
    assert "elsewhere" in ended.out


def test_all_of_them_are_listed_each_in_a_line(cli: Callable[..., Any], folder: Path) -> None:
    listed = cli("list", "attacks", "--plugins", folder, "--format", "csv")
    assert listed.code == 0
    for name, (_, told) in LOADED.items():
        [line] = [line for line in listed.out.splitlines() if line.startswith(name)]
        assert "broken" in line
        assert told in line


@pytest.mark.parametrize("name", [*LOADED, "twice"])
def test_one_that_cannot_be_loaded_is_in_nobody_s_way(
    ran: Any, copied: Path, cli: Callable[..., Any], folder: Path, name: str
) -> None:
    words = ("--plugins", folder, "--workers", 1, "--store", copied)
    good = cli("run", *ran.words, "--attack", "loss", *words)
    assert (good.code, "[1/" in good.err) == (0, False), good.err
    asked = cli("run", *ran.words, "--attack", "loss", "--attack", name, *words)
    assert (asked.code, asked.out) == (2, "")
    [line] = asked.err.splitlines()
    assert LOADED[name][1] in line if name in LOADED else "two plugins are named 'twice'" in line
    assert str(folder / (f"{name}.py" if name in LOADED else "twin1.py")) in line
