"""From a request to words and back."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
import typer

from bench.cli.run import _read
from bench.reports.command import command
from bench.request import Request
from bench.specs import Sampling


def read(words: str) -> Request:
    single = typer.Typer(add_completion=False)
    single.command()(_read)
    context = typer.main.get_command(single).make_context("x", shlex.split(words)[2:])
    [found] = _read(**context.params).requests
    return found


@pytest.mark.parametrize(
    "asked",
    [
        Request(["none"], ["loss"]),
        Request(["./my file.py:Odd", "del1+lora[rank=2]"], ["pfami[preset=paper]"], seeds=[0, 1, 2],
                at=[0, 10], data="folder:/a b/c,captions=all", view="defended", replays=32,
                pool="max", shadow_defense="same", plugins=[Path("/p q")], canaries=64),
        Request(["reph"], ["all"], recipe="quick", sampling=Sampling(n=64, steps=9, guidance=1.5,
                sampler="dpm++"), augment="none", shadow="resplit", precision="bf16",
                variant="fp16", base="a/b@c", clip="/c", inception="/i", captioner="/k",
                offline=True),
    ],
    ids=["plain", "many", "the rest"],
)  # fmt: skip
def test_the_command_of_a_request_asks_for_it(asked):
    plain = dataclasses.replace(
        asked, seeds=list(asked.seeds), at=list(asked.at), plugins=list(asked.plugins)
    )
    assert read(command(asked)) == plain


def test_what_is_as_by_default_is_left_out():
    assert command(Request(["none"], ["loss"])) == "bench run --defense none --attack loss"
