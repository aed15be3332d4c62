"""A Stable-Diffusion-shaped model of a megabyte, the `bench` command, and one finished run."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.contract.base import write_base

# As in a run. Two threads for so small a model cost thirty times one, where cores are shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Ran(NamedTuple):
    """A finished run: what was typed but for the attacks, its store, and how it ended.

    All tests share the store, in any order: who asks it for another run takes `copied`.
    """

    words: tuple[Any, ...]
    store: Path
    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's cache that the tests share with nobody."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised base (16 x 16 pixels, 8 x 8 latents) in the diffusers format."""
    return write_base(tmp_path_factory.mktemp("bases") / "tiny-sd")


@pytest.fixture(scope="session")
def cli() -> Callable[..., Ended]:
    """`bench ...` in this process."""
    return run_here


def run_here(*words: object) -> Ended:
    """Calls the entry point with these words; what it would print and exit with."""
    from bench.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def shell() -> Callable[..., Ended]:
    """`bench ...` as a process of its own; `before` is Python that runs ahead of it."""

    def run(*words: object, before: str = "", cwd: Path | None = None, **environment: str) -> Ended:
        command = command_line(*words, before=before)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | environment_of_bench() | environment,
            timeout=600,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def command_line(*words: object, before: str = "") -> list[str]:
    """The words that start `bench` in a new interpreter."""
    code = f"{before}\nfrom bench.cli.app import main\nmain()"
    start = ["-c", code] if before else ["-m", "bench"]
    return [sys.executable, *start, *map(str, words)]


def environment_of_bench() -> dict[str, str]:
    """What a process needs to import this checkout from any folder."""
    return {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def tiny_words(tiny_base: Path) -> tuple[Any, ...]:
    """Options of the smallest run there is."""
    return ("--data", "scenes:n=120", "--recipe", "quick", "--base", tiny_base, "--defense", "none")


@pytest.fixture(scope="session")
def ran(
    cli: Callable[..., Ended], tiny_words: tuple[Any, ...], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """Both attacks with one worker, from nothing."""
    store = tmp_path_factory.mktemp("stores") / "ran"
    attacks = ("--attack", "loss", "--attack", "clid_th")
    ended = cli("run", *tiny_words, *attacks, "--workers", 1, "--store", store)
    return Ran(tiny_words, store, *ended)


@pytest.fixture
def copied(ran: Ran, tmp_path: Path) -> Path:
    """A copy of that store, to be spoilt."""
    return Path(shutil.copytree(ran.store, tmp_path / "copied"))
