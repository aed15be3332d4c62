"""From a request to words and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench.cli import asked
from bench.cli.requests import read_lines
from bench.reports.command import command
from bench.request import Request
from bench.specs import Sampling


def read(words: str, folder: Path) -> Request:
    """As a line of a file of requests is read."""
    path = folder / "asked.txt"
    path.write_text(words.removeprefix("bench run "))
    (found,) = read_lines(path, asked.read, None).values()
    return found


@pytest.mark.parametrize(
    "request_",
    [
        Request(["none"], ["loss"]),
        Request(["./my file.py:Odd", "del1+lora[rank=2]"], ["pfami[preset=paper]"], seeds=[0, 1, 2],
                at=[0, 10], data="folder:/a b/c,captions=all", view="defended", replays=32,
                pool="max", shadow_defense="same", plugins=[Path("/p q")], canaries=64),
        Request(["reph"], ["all"], recipe="quick", sampling=Sampling(n=64, steps=9, guidance=1.5,
                sampler="dpm++"), augment="none", shadow="resplit", precision="bf16",
                variant="fp16", base="a/b@c", clip="/c", inception="/i", captioner="/k",
                offline=True, sets=["loss.t=9"]),
    ],
    ids=["plain", "many", "the rest"],
)  # fmt: skip
def test_the_command_of_a_request_asks_for_it(request_, tmp_path):
    many = ("seeds", "at", "plugins", "sets")
    plain = dataclasses.replace(request_, **{name: list(getattr(request_, name)) for name in many})
    assert read(command(request_), tmp_path) == plain


def test_what_is_as_by_default_is_left_out():
    assert command(Request(["none"], ["loss"])) == "bench run --defense none --attack loss"
