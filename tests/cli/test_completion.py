"""What a shell offers, and that nothing but text goes where no terminal is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from conftest import ROOT

COLOUR = re.compile(rb"\x1b\[(?:\d;)*3\d")
START = """
import atexit, sys
sys.argv = ["bench"]
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
from bench.cli.app import main
main()
"""


def offered(*words: str) -> list[str]:
    """What bash is told for these words, the last of them half typed."""
    asked = {"COMP_WORDS": " ".join(["bench", *words]), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-c", START],
        capture_output=True,
        text=True,
        env=os.environ | asked | {"_BENCH_COMPLETE": "complete_bash", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stderr == "False\n", "torch is not loaded for it"
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("run", "--attack", "clid"), ["clid_th", "clid_vec"]),
        (("plan", "--defense", "del1+cap"), ["del1+caption_dropout"]),
        (("run", "--data", "s"), ["scenes"]),
        (("run", "--recipe", "qu"), ["quick"]),
        (("list", "att"), ["attacks"]),
        (("show", "rep"), ["reph"]),
        (("stat",), ["status"]),
    ],
)
def test_names_are_completed_without_torch(words: tuple[str, ...], found: list[str]) -> None:
    assert offered(*words) == found


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("list", "attacks"), ("config",), ("rum",)]
)
def test_no_escape_codes_where_no_terminal_is(words: tuple[str, ...], shell: Callable) -> None:
    for environment in ({}, {"NO_COLOR": "1", "TERM": "xterm-256color"}):
        ended = shell(*words, **environment)
        assert "\x1b" not in ended.out + ended.err


def test_no_colour_is_respected_on_a_terminal() -> None:
    """On a pseudo-terminal the help is coloured, unless NO_COLOR is set."""
    assert COLOUR.search(on_a_terminal("--help"))
    assert not COLOUR.search(on_a_terminal("--help", NO_COLOR="1"))


def on_a_terminal(*words: str, **environment: str) -> bytes:
    import pty

    main, other = pty.openpty()
    usual = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        stdout=other, stderr=other, stdin=other, cwd=ROOT,
        env=usual | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | environment,
    ):  # fmt: skip
        os.close(other)
        found = b""
        try:
            while part := os.read(main, 65536):
                found += part
        except OSError:  # the other end is closed
            pass
    os.close(main)
    return found
