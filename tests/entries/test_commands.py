"""`bench submit` and `bench validate` as a person meets them."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest

from bench.schemas import schema

REGISTER = """
import atexit, sys
from bench.training.recipe import RECIPES, Recipe
RECIPES["tiny"] = Recipe(name="tiny", epochs=2, keep=(1,), crop_margin=2)
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
"""


def test_submit_writes_one_entry_a_model_and_checks_it(cli, runs, tmp_path):
    out = tmp_path / "entries"
    words = ("--store", runs.store, "--out", out, "--allow-dirty")
    ended = cli("submit", runs.board, runs.later, runs.own, "--partial", *words)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split() == [str(out / "none-tiny"), str(out / "loud-tiny")]
    assert sorted(path.name for path in out.rglob("*.*")) == sorted(
        ["entry.json", "scores.npz"] * 2
    )
    # Asked again it writes the same bytes over them.
    before = (out / "none-tiny" / "scores.npz").read_bytes()
    told = cli("submit", runs.board, runs.later, *words, "--format", "json")
    assert told.code == 0
    jsonschema.validate(json.loads(told.out), schema("submit"))
    assert (out / "none-tiny" / "scores.npz").read_bytes() == before


def test_what_a_person_adds_is_in_the_entry(cli, runs, tmp_path):
    cli("submit", runs.later, "--store", runs.store, "--out", tmp_path, "--allow-dirty",
        "--name", "bare", "--title", "No defense", "--licence", "CC0-1.0",
        "--paper", "https://arxiv.org/abs/2405.14800", "--author", "A. B.")  # fmt: skip
    about = json.loads((tmp_path / "bare" / "entry.json").read_text())
    assert (about["title"], about["licence"], about["authors"]) == (
        "No defense",
        "CC0-1.0",
        ["A. B."],
    )
    assert about["paper"].endswith("2405.14800")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--title", "<b>best</b>"), "title: "),
        (("--paper", "javascript:alert(1)"), "paper: "),
        (("--name", "../up"), "name: "),
        (("--name", "x"), "--name x is one name for 2 models"),
    ],
)
def test_submit_refuses_words_that_no_entry_may_hold(cli, runs, tmp_path, words, said):
    which = (runs.board, runs.own, "--partial") if "2 models" in said else (runs.later,)
    ended = cli("submit", *which, "--store", runs.store, "--out", tmp_path / "out",
                "--allow-dirty", *words)  # fmt: skip
    assert ended.code in (2, 3)
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_submit_leaves_the_entry_of_another_model_alone(cli, runs, sound, tmp_path):
    shutil.copytree(sound / "loud", tmp_path / "out" / "loud")
    ended = cli("submit", runs.later, "--store", runs.store, "--out", tmp_path / "out",
                "--allow-dirty", "--name", "loud")  # fmt: skip
    assert ended.code == 3
    assert "is not about this model" in ended.err


def test_submit_refuses_unfinished_unranked_and_few(cli, ran, runs, tiny_base, tmp_path):
    out = ("--out", tmp_path / "out", "--allow-dirty")
    quick = next((ran.store / "runs").glob("*.json")).stem
    ended = cli("submit", quick, "--store", ran.store, *out)
    assert (ended.code, ended.err.count("\n")) == (3, 1)
    assert "recipe quick is not for boards" in ended.err
    ended = cli("submit", "nothing", "--store", runs.store, *out)
    assert ended.code == 2
    store = tmp_path / "store"
    shutil.copytree(runs.store, store)
    words = ("--data", "scenes:n=120", "--recipe", "tiny", "--base", tiny_base, "--workers", 1)
    assert cli("run", *words, "--defense", "none", "--attack", "loss", "--store", store).code == 0
    one = next(path.stem for path in (store / "runs").glob("*.json")
               if path.stem not in (runs.board, runs.later, runs.own))  # fmt: skip
    ended = cli("submit", one, "--store", store, *out)
    assert ended.code == 3
    assert "loss lacks seed 1, 2" in ended.err
    ended = cli("submit", one, "--store", store, *out, "--partial")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "out" / "none-tiny" / "entry.json").read_text())["provisional"]
    shutil.rmtree(next((store / "stages" / "metrics").iterdir()))
    ended = cli("submit", runs.board, runs.later, "--store", store, *out)
    assert ended.code == 3
    assert "finish it first: bench resume" in ended.err


def test_checkpoints_and_the_base_are_models_of_their_own(cli, runs, tiny_base, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(runs.store, store)
    words = ("--data", "scenes:n=120", "--recipe", "tiny", "--base", tiny_base, "--workers", 1)
    more = ("--defense", "none", "--attack", "loss", "--at", "0,1,2", "--store", store)
    ended = cli("run", *words, *more)
    assert ended.code == 0, ended.err
    run = ended.err.splitlines()[-1].split()[1]
    out = tmp_path / "entries"
    words = ("--store", store, "--out", out, "--allow-dirty", "--partial")
    ended = cli("submit", run, *words)
    assert ended.code == 0, ended.out + ended.err
    assert sorted(path.name for path in out.iterdir()) == [
        "none-at-0000-tiny", "none-at-0001-tiny", "none-tiny"
    ]  # fmt: skip
    (base,) = json.loads((out / "none-at-0000-tiny" / "entry.json").read_text())["seeds"]
    assert base["training"] is base["attackers"][0]["base_control"] is None
    assert base["made"]["bench"]


def test_validate_needs_no_torch(shell, sound):
    ended = shell("validate", sound, before=REGISTER)
    assert ended.code == 0, ended.out + ended.err
    assert ended.err.splitlines()[-1] == "False"
    assert ended.out.splitlines() == ["loud: fine (attackers 1, seeds 1)",
                                      "none: fine (attackers 3, seeds 3)"]  # fmt: skip


def test_validate_answers_programs_too(cli, spoilt):
    fine = json.loads(cli("validate", spoilt.folder, "--format", "json").out)
    assert [row["level"] for row in fine["rows"]] == ["fine"]
    spoilt.replace('"title": "none"', '"title": "nons"')
    ended = cli("validate", spoilt.folder, "--format", "json")
    assert ended.code == 3
    (row,) = json.loads(ended.out)["rows"]
    assert (row["entry"], row["where"], row["level"]) == ("none", "title", "problem")


def test_validate_tells_where_there_is_nothing(cli, tmp_path):
    assert cli("validate", tmp_path / "nowhere").code == 2
    ended = cli("validate", tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_dirty_code_is_told_unless_allowed(cli, spoilt):
    spoilt.edit(lambda document: document["provenance"].update(dirty=True))
    ended = cli("validate", spoilt.folder)
    assert (ended.code, len(ended.out.splitlines())) == (3, 1)
    assert cli("validate", spoilt.folder, "--allow-dirty").code == 0


def test_a_plugin_changed_since_is_a_note_and_no_problem(cli, spoilt):
    def older(document):
        attack = document["attackers"][0]["attack"]
        attack["file"] = attack["source"] = "0" * 64

    spoilt.edit(older)
    ended = cli("validate", spoilt.folder)
    assert ended.code == 0
    assert "note: none: attacker loss: stale: loss has been changed since" in ended.err


def test_one_name_and_one_model_once_in_a_folder(cli, spoilt):
    twin = spoilt.folder.with_name("other")
    shutil.copytree(spoilt.folder, twin)
    text = (twin / "entry.json").read_text().replace('"name": "none"', '"name": "other"', 1)
    (twin / "entry.json").write_text(text)
    type(spoilt)(twin).edit(lambda document: None)
    ended = cli("validate", spoilt.folder.parent)
    assert ended.code == 3
    assert "other: target: is about the same model as" in ended.out
    (spoilt.folder.parent / "README.md").write_text("fine")
    (spoilt.folder.parent / "stray.txt").write_text("not")
    assert "'stray.txt' is no entry" in cli("validate", spoilt.folder.parent).out
