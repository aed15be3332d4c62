"""`bench new`: what it writes works at once, and it spoils nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from bench.plugins import resolve


@pytest.fixture
def begun(cli: Callable[..., Any], tmp_path: Path) -> Callable[[str], Path]:
    def begin(kind: str) -> Path:
        ended = cli("new", kind, "my_own", "--out", tmp_path / "new")
        assert ended.code == 0, ended.err
        names = ("my_own.py", "test_my_own.py", "my_own.md")
        assert ended.out.splitlines() == [str(tmp_path / "new" / name) for name in names]
        return tmp_path / "new" / "my_own.py"

    return begin


@pytest.mark.parametrize("kind", ["attack", "defense"])
def test_it_is_a_plugin_whose_body_is_short(begun: Any, kind: Any) -> None:
    path = begun(kind)
    assert resolve(kind, str(path)).name == "my_own"
    text = path.read_text()
    [body] = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    lines = text.splitlines()[body.lineno - 1 : body.end_lineno]
    assert len([one for one in lines if one.strip() and not one.strip().startswith("#")]) < 20
    assert "$" not in path.with_suffix(".md").read_text() + text


@pytest.mark.parametrize("kind", ["attack", "defense"])
def test_its_test_passes_at_once(begun: Any, kind: str) -> None:
    folder = begun(kind).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder]
    done = subprocess.run(
        [*map(str, command), "test_my_own.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_what_is_there_is_not_overwritten(begun: Any, cli: Callable[..., Any]) -> None:
    path = begun("attack")
    path.write_text("mine")
    path.with_name("test_my_own.py").unlink()
    ended = cli("new", "attack", "my_own", "--out", path.parent)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "exists and is not overwritten" in ended.err
    assert path.read_text() == "mine"
    assert not path.with_name("test_my_own.py").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attack", "loss"), "attack 'loss' exists already (shipped)"),
        (("defense", "9lives"), "'9lives' cannot be the name of a plugin"),
        (("defense", "a/b"), "'a/b' cannot be the name"),
        (("defense", "class"), "'class' is a word of Python itself"),
        (("attack", "json"), "json.py would stand before Python's own module"),
        (("attack", "all"), "'all' has a meaning of its own"),
        (("atack", "mine"), "no kind of plugin named 'atack'; did you mean attack?"),
    ],
)
def test_names_that_cannot_be(
    cli: Callable[..., Any], tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    ended = cli("new", *words, "--out", tmp_path / "new")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert said in ended.err
    assert not (tmp_path / "new").exists()
