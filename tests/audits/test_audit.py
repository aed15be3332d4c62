"""`bench audit` from end to end, on models of a megabyte in every form they come in."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from folders import write_pairs
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file

from bench.data import tiles
from bench.models.base import load_base
from bench.schemas import schema

FAST = ("--attack", "loss", "--attack", "ref_loss[reference=base]")


@pytest.fixture(scope="session")
def forms(tiny_base: Path, leaky: Path, tmp_path_factory: Any) -> dict[str, Path]:
    """The over-trained U-Net as a pipeline, a U-Net folder and a file; adapters of the base."""
    from diffusers import StableDiffusionPipeline

    place = tmp_path_factory.mktemp("forms")
    pipeline = Path(shutil.copytree(tiny_base, place / "pipeline"))
    unet = load_base(tiny_base).unet
    unet.load_state_dict(load_file(leaky))
    unet.save_pretrained(pipeline / "unet")
    unet.save_pretrained(place / "folder", variant="fp16")
    peft = get_peft_model(
        load_base(tiny_base).unet, LoraConfig(r=2, lora_alpha=4, target_modules=["to_k", "to_v"])
    )
    peft.save_pretrained(place / "peft")
    layers = get_peft_model_state_dict(peft)
    layers = {name.removeprefix("base_model.model."): value for name, value in layers.items()}
    StableDiffusionPipeline.save_lora_weights(place / "lora", unet_lora_layers=layers)
    return {
        "pipeline": pipeline,
        "unet": place / "folder",
        "weights": leaky,
        "peft": place / "peft",
        "lora": place / "lora",
    }


@pytest.mark.parametrize("form", ["pipeline", "unet", "weights", "peft", "lora"])
def test_every_form_of_target_gets_a_verdict(ask, forms, form):
    ended = ask(forms[form], *FAST, "--format", "json")
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    jsonschema.validate(said, schema("audit"))
    assert f"({form}), sha256" in said["about"]["target"]
    assert said["verdict"]["outcome"] == ("leak" if form in ("pipeline", "unet", "weights")
                                          else "none seen")  # fmt: skip
    assert (said["verdict"]["members"], said["verdict"]["holdouts"]) == (40, 30)


def test_a_leak_is_told_in_words_with_chance_and_limits(ask, leaky, tmp_path):
    ended = ask(leaky, out=tmp_path / "report.md")
    assert ended.code == 0, ended.err
    report = (tmp_path / "report.md").read_text()
    for text in (ended.out, report):
        assert "Members can be told from hold-outs: the worst attack (" in text
        assert "(chance 50, below " in text
        assert "Empirical lower bound: epsilon >= " in text
        assert "TPR@1%FPR is refused with 30 hold-outs" in text
        assert "No shadow model: ASR" in text
        assert "clid_th declined: it learns from a shadow" in text
        assert "ref_loss[reference=base]" in text
    assert "bench audit --target" in report
    assert report.count("sha256") == 5  # target, base, both sides, the split
    assert "| blind captions | yes | AUC " in report
    assert "| base control (loss) | yes | the base, which saw no pair" in report
    assert ", peft " in report


def test_the_base_itself_leaks_nothing_and_that_is_no_proof(ask, tiny_base):
    ended = ask(tiny_base, *FAST)
    assert ended.code == 0, ended.err
    assert "No attack did better than chance on 40 members and 30 hold-outs" in ended.out
    assert "That does not show privacy: this test sees four of five leaks of AUC " in ended.out
    assert "nothing was trained" in ended.out


def test_a_text_encoder_that_was_trained_is_said(ask, tiny_base, tmp_path):
    pipeline = shutil.copytree(tiny_base, tmp_path / "mine")
    text = load_base(pipeline).text_encoder
    text.state_dict()["final_layer_norm.bias"].add_(8e-4)
    text.save_pretrained(pipeline / "text_encoder")
    ended = ask(pipeline, "--attack", "loss")
    assert ended.code == 0, ended.err
    assert "The target has a text encoder of its own, not the base's: it was used." in ended.out
    assert "nothing was trained" not in ended.out


@pytest.mark.parametrize("named", ["somebody/sd-2-1", "elsewhere/tiny-sd", None])
def test_an_adapter_of_another_base_is_told(ask, forms, tmp_path, named):
    place = Path(shutil.copytree(forms["peft"], tmp_path / "adapter"))
    config = json.loads((place / "adapter_config.json").read_text())
    told = config | {"base_model_name_or_path": named}
    (place / "adapter_config.json").write_text(json.dumps(told))
    ended = ask(place, "--attack", "loss", "--out", tmp_path / "report.md")
    assert ended.code == 0, ended.err
    for text in (ended.out, (tmp_path / "report.md").read_text()):
        said = f"The adapter says that it was trained on {named}, and it was put on "
        assert (said in text) == (named == "somebody/sd-2-1")


def test_a_pipeline_without_a_base_is_audited_by_what_needs_none(ask, forms):
    ended = ask(forms["pipeline"], "--format", "json", base=None)
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    names = {row["attack"] for row in said["rows"]}
    assert {"loss", "mc", "pia", "pian", "pfami", "secmi"} <= names
    assert not any(name.startswith(("ref_", "clid")) for name in names)
    assert all(row["base_auc"] is None and row["asr"] is None for row in said["rows"])
    assert any("no base control" in note for note in said["notes"])
    assert any("ref_loss declined" in note for note in said["notes"])


def test_another_distribution_fails_a_gate_with_exit_3(ask, leaky, tmp_path):
    pairs = tiles.pairs()
    other = write_pairs(tmp_path / "tiles", pairs.select(pairs.ids[:30]))
    ended = ask(leaky, *FAST, "--format", "json", holdouts=f"folder:{other}")
    assert ended.code == 3
    assert ended.err.splitlines()[-1].startswith("error: gates failed: blind captions")
    said = json.loads(ended.out)["verdict"]
    assert said["outcome"] == "not interpretable"
    assert said["text"].startswith("Not interpretable: blind captions: AUC ")
    assert said["epsilon_at_least"] is None


def test_a_shadow_is_trained_from_auxiliary_pairs(ask, leaky, sides, tmp_path):
    words = ("--attack", "clid_th", "--attack", "ref_loss", "--recipe", "quick")
    given = {"auxiliary": f"folder:{sides['auxiliary']}"}
    ended = ask(leaky, *words, "--format", "csv", **given)
    assert ended.code == 0, ended.err
    rows = {row["attack"]: row for row in csv.DictReader(io.StringIO(ended.out))}
    assert rows.keys() == {"clid_th", "ref_loss"}
    assert all(0 <= float(row["asr"]) <= 1 for row in rows.values())
    (split,) = (tmp_path / "store" / "stages" / "split").glob("*/record.json")
    dealt = json.loads(split.read_text())["result"]
    assert [len(dealt[f"shadow_{side}"]) for side in ("members", "holdouts")] == [40, 40]
    again = ask(leaky, *words, "--format", "csv", **given)
    assert again.out == ended.out
    assert "[1/" not in again.err


def test_a_shadow_may_be_given_with_what_it_was_trained_on(ask, leaky, tiny_base, sides):
    auxiliary = sides["auxiliary"]
    parts = {}
    lines = (auxiliary / "metadata.jsonl").read_text().splitlines(keepends=True)
    for name, some in (("shadow_members", lines[:40]), ("shadow_holdouts", lines[40:])):
        folder = auxiliary.parent / name
        shutil.copytree(auxiliary, folder)
        (folder / "metadata.jsonl").write_text("".join(some))
        parts[name] = f"folder:{folder}"
    ended = ask(leaky, "--attack", "clid_th", shadow=tiny_base, **parts)
    assert ended.code == 0, ended.err
    assert "40 pictures in" in ended.err  # those of the other half, which no line names
    (row,) = [line for line in ended.out.splitlines() if line.startswith("clid_th")]
    assert " - " not in row


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", [("--workers", 2), ("--executor", "ray", "--workers", 2)], ids=["local", "ray"]
)
def test_wherever_it_is_computed_the_same_is_found(
    ask, shell, forms, sides, tiny_base, tmp_path, where
):
    words = (*FAST, "--format", "json")
    here = ask(forms["pipeline"], *words)
    there = shell(
        "audit", "--target", forms["pipeline"], "--base", tiny_base,
        "--members", f"folder:{sides['members']}", "--holdouts", f"folder:{sides['holdouts']}",
        "--store", tmp_path / "other", *where, *words,
    )  # fmt: skip
    assert there.code == 0, there.err
    assert json.loads(there.out) == json.loads(here.out)


def test_time_that_is_spent_ends_it_with_5(ask, forms):
    told = ask(forms["unet"], *FAST, "--max-time", "1s")
    assert told.code == 5
    assert "--max-time is spent" in told.err.splitlines()[-1]
    assert told.out == ""
