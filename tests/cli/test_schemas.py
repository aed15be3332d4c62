"""What `--format json` prints is what its published schema says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer

from bench.cli.app import app
from bench.cli.verb import flags
from bench.schemas import SCHEMAS, schema

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = ROOT / "leaderboards" / "entries"

ASKED: dict[str, list[tuple[Any, ...]]] = {
    "plan": [("--defense", "none", "--attack", "loss", "--data", "scenes:n=120")],
    "compare": [(ENTRIES / "none", ENTRIES / "shuffle")],
    "validate": [(ENTRIES / "none",), (ROOT / "tests",)],
    "list": [("attacks",), ("defenses",), ("data",), ("bases",), ("recipes",), ("runs",)],
    "show": [("clid_th",), ("reph",), ("mini",), ("coco",)],
    "config": [(), ("--show-origin",), ("audit", "--show-origin")],
    "doctor": [()],
    "fetch": [("--for", "scenes:n=120")],
}


def published(verb: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / f"{verb}.json").read_text())
    return found


def holds(verb: str, ended: Any) -> None:
    jsonschema.validate(json.loads(ended.out), published(verb))


@pytest.mark.parametrize("verb", SCHEMAS)
def test_published_schemas_are_current(verb: str, cli: Callable[..., Any]) -> None:
    """Written anew by `bench schema --out docs/schemas`."""
    assert published(verb) == schema(verb)
    jsonschema.Draft202012Validator.check_schema(published(verb))
    assert json.loads(cli("schema", verb).out) == published(verb)


def test_every_verb_with_a_format_has_a_schema_and_no_other() -> None:
    group: Any = typer.main.get_command(app)
    formed = {name for name, verb in group.commands.items() if "format" in flags(verb)}
    assert formed == set(SCHEMAS)
    assert {path.stem for path in (ROOT / "docs" / "schemas").glob("*.json")} == formed


@pytest.mark.parametrize(
    ("verb", "words"), [(verb, words) for verb, several in ASKED.items() for words in several]
)
def test_output_holds_to_its_schema(
    verb: str, words: tuple[Any, ...], cli: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    holds(verb, cli(verb, *words, "--format", "json"))


def test_output_of_a_store_holds_to_its_schema(
    cli: Callable[..., Any], ran: Any, copied: Path
) -> None:
    both = ("--attack", "loss", "--attack", "clid_th")
    (note,) = (copied / "runs").glob("*.json")
    end = ("--store", copied, "--format", "json")
    holds("run", cli("run", *ran.words, *both, *end))
    holds("resume", cli("resume", note.stem, *end))
    holds("list", cli("list", "runs", *end))
    (key,) = (path.name for path in (copied / "stages" / "real").iterdir())
    metrics = sorted(path.name for path in (copied / "stages" / "metrics").iterdir())
    holds("why", cli("why", key, *end))
    holds("why", cli("why", *metrics, *end))
    (copied / "work" / "1").mkdir(parents=True)
    holds("gc", cli("gc", "--older-than", "0s", *end))
    (copied / "stages" / "metrics" / metrics[0] / "record.json").unlink()
    holds("status", cli("status", *end))


def test_output_about_a_plugin_holds_to_its_schema(cli: Callable[..., Any], tmp_path: Path) -> None:
    end = ("--format", "json")
    holds("new", cli("new", "defense", "my_own", "--out", tmp_path, *end))
    holds("test", cli("test", tmp_path / "my_own.py", *end))


def test_schemas_refuse_what_is_not_so() -> None:
    wrong = {"rows": [{"what": "stage", "size_mb": "much", "why": "", "path": ""}], "notes": []}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, published("gc"))


def test_a_verb_without_a_schema_is_told(cli: Callable[..., Any]) -> None:
    assert "no verb with a schema named 'pln'; did you mean plan" in cli("schema", "pln").err
    assert "name a verb: run, " in cli("schema").err
