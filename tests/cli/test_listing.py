"""`bench list`, `show`, `doctor` and the help: what there is, for eyes and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.models import base

Cli = Callable[..., Any]
KINDS = ["attacks", "defenses", "data", "bases", "recipes"]


@pytest.mark.parametrize("what", KINDS)
def test_every_list_is_read_in_every_format(cli: Cli, what: str) -> None:
    said = {form: cli("list", what, "--format", form) for form in ("table", "md", "json", "csv")}
    assert {ended.code for ended in said.values()} == {0}
    assert {ended.err for ended in said.values()} == {""}
    names = [row["name"] for row in json.loads(said["json"].out)["rows"]]
    assert names
    assert [row["name"] for row in csv.DictReader(io.StringIO(said["csv"].out))] == names
    for form in ("table", "md"):
        assert all(name.split("[")[0] in said[form].out for name in names)


def test_the_lists_name_what_a_newcomer_types(cli: Cli) -> None:
    for what, names in {
        "attacks": ["loss", "clid_th"],
        "defenses": ["none"],
        "data": ["tiles", "scenes", "folder:PATH"],
        "bases": ["mini-sd"],
        "recipes": ["mini", "quick"],
    }.items():
        out = cli("list", what).out
        assert all(name in out for name in names), what


@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_empty_list_is_still_of_its_format(cli: Cli, tmp_path: Path, form: str) -> None:
    ended = cli("list", "runs", "--store", tmp_path, "--format", form)
    assert ended.code == 0
    if form == "json":
        assert json.loads(ended.out)["rows"] == []
    else:
        assert list(csv.DictReader(io.StringIO(ended.out))) == []


def test_an_empty_list_says_so(cli: Cli, tmp_path: Path) -> None:
    assert cli("list", "runs", "--store", tmp_path).out == "no runs yet\n"


def test_a_broken_plugin_is_listed_as_broken(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise RuntimeError('no luck')")
    ended = cli("list", "attacks", "--plugins", tmp_path, "--format", "json")
    rows = {row["name"]: row for row in json.loads(ended.out)["rows"]}
    assert rows["bad"]["status"] == "broken"
    assert "no luck" in rows["bad"]["what"]
    assert rows["bad"]["origin"] == str(tmp_path / "bad.py")
    assert rows["loss"]["status"] == "ok"


def test_the_card_of_an_attack_has_parameters_cost_and_paper(cli: Cli) -> None:
    card = cli("show", "clid_th").out
    assert "15 queries a pair" in card
    assert "param  reduction" in card
    assert "arXiv 2405.14800" in card
    assert "needs caption, shadow" in card


def test_the_card_of_a_defense_of_a_recipe_and_of_a_broken_file(cli: Cli, tmp_path: Path) -> None:
    assert "defense none" in cli("show", "none").out
    assert "epochs" in cli("show", "quick").out
    (tmp_path / "bad.py").write_text("raise RuntimeError('no luck')")
    assert "cannot be loaded" in cli("show", "bad", "--plugins", tmp_path).out


def test_the_source_is_shown_when_asked(cli: Cli) -> None:
    assert "class Loss(Attack)" in cli("show", "loss", "--source").out
    assert "class Loss(Attack)" not in cli("show", "loss").out


@pytest.fixture
def with_base(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "embedded_folder", lambda: tiny_base)


@pytest.mark.usefixtures("with_base")
def test_doctor_tells_the_environment(cli: Cli, tmp_path: Path) -> None:
    ended = cli("doctor", "--store", tmp_path / "store")
    assert ended.code == 0, ended.out
    assert __version__ in ended.out
    assert "torch" in ended.out
    assert str(tmp_path / "store") in ended.out
    assert "problem" not in ended.out


@pytest.mark.usefixtures("with_base")
def test_doctor_names_what_is_missing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.cli import doctor

    monkeypatch.setattr(doctor, "PACKAGES", (*doctor.PACKAGES, "a-package-nobody-has"))
    ended = cli("doctor", "--store", tmp_path)
    assert ended.code == 1
    assert "a-package-nobody-has is not installed" in ended.out


def test_doctor_goes_on_without_the_embedded_base(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "embedded_folder", lambda: tmp_path / "absent")
    ended = cli("doctor", "--store", tmp_path)
    assert ended.code == 1
    assert any(line.startswith("problem") and "absent" in line for line in ended.out.splitlines())
    assert "store " in ended.out


def test_fetch_looks_at_a_folder_and_tells_what_runs_read(cli: Cli, tiny_base: Path) -> None:
    ended = cli("fetch", "--base", tiny_base)
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"base       {tiny_base}\n")
    assert base.base_identity(tiny_base) in ended.out
    missing = cli("fetch", "--base", tiny_base, "--variant", "fp16")
    assert missing.code == 2
    assert "no weights of variant fp16 in unet" in missing.err


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in (
    "run", "plan", "resume", "leaderboard", "submit", "validate", "compare", "doctor", "fetch",
    "list", "show"))])  # fmt: skip
def test_every_verb_has_a_help(cli: Cli, verb: tuple[str, ...]) -> None:
    ended = cli(*verb, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out
    assert ended.err == ""


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").out == f"bench {__version__}\n"
