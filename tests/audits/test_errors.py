"""What is wrong with an audit's words, models or data is one line before anything is trained."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.contract.base import write_base


@pytest.fixture
def place(tmp_path):
    return tmp_path


def missing(place, base):
    return place / "nothing"


def empty(place, base):
    (place / "empty").mkdir()
    return place / "empty"


def of_another_class(place, base):
    return base / "vae"


def pickled(place, base):
    (place / "unet.bin").write_bytes(b"x")
    return place / "unet.bin"


def pickled_folder(place, base):
    shutil.copytree(base / "unet", place / "unet")
    next((place / "unet").glob("*.safetensors")).rename(place / "unet" / "x.bin")
    return place / "unet"


def no_safetensors(place, base):
    (place / "a.safetensors").write_bytes(b"not really")
    return place / "a.safetensors"


def single_file(place, base):
    save_file({"model.diffusion_model.x": torch.zeros(1)}, place / "sd.safetensors")
    return place / "sd.safetensors"


def half_a_pipeline(place, base):
    folder = shutil.copytree(base, place / "half")
    shutil.rmtree(folder / "vae")
    return folder


def other_shapes(place, base):
    weights = load_file(next((base / "unet").glob("*.safetensors")))
    name = max(weights)
    save_file(weights | {name: torch.zeros(3, 3)}, place / "w.safetensors")
    return place / "w.safetensors"


def not_finite(place, base):
    weights = load_file(next((base / "unet").glob("*.safetensors")))
    name = max(weights)
    save_file(weights | {name: weights[name] * torch.nan}, place / "w.safetensors")
    return place / "w.safetensors"


def whole_numbers(place, base):
    weights = load_file(next((base / "unet").glob("*.safetensors")))
    save_file({name: value.int() for name, value in weights.items()}, place / "w.safetensors")
    return place / "w.safetensors"


def whole_numbers_in_a_folder(place, base):
    folder = shutil.copytree(base / "unet", place / "unet")
    whole_numbers(folder, base).rename(folder / "diffusion_pytorch_model.safetensors")
    return folder


def whole_numbers_in_a_pipeline(place, base):
    folder = shutil.copytree(base, place / "mine")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole_numbers(place, base).rename(path)
    return folder


def other_prediction(place, base):
    return write_base(place / "v", "v_prediction")


def other_encoder(place, base):
    return write_base(place / "other", seed=1)


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (missing, 4, "no target at"),
        (empty, 2, "is no model that is known here; give a pipeline"),
        (of_another_class, 2, "is a AutoencoderKL, not a UNet2DConditionModel"),
        (pickled, 2, "pickled weights are never opened"),
        (pickled_folder, 2, "has no safetensors weights"),
        (no_safetensors, 2, "is no safetensors file"),
        (single_file, 2, "is an original single-file checkpoint; convert it first"),
        (half_a_pipeline, 2, "lacks vae"),
        (other_shapes, 2, "does not fit the base"),
        (not_finite, 2, "is not finite"),
        (whole_numbers, 2, "is of type I32, no floating-point number; save the model in"),
        (whole_numbers_in_a_folder, 2, "is of type I32, no floating-point number"),
        (whole_numbers_in_a_pipeline, 2, "is of type I32, no floating-point number"),
        (other_prediction, 2, "the schedule or prediction type of"),
        (other_encoder, 2, "the image encoder of"),
    ],
)
def test_what_is_no_model_of_that_base_is_one_line(ask, place, tiny_base, make, code, said):
    ended = ask(make(place, tiny_base), "--attack", "loss")
    assert ended.code == code
    last = ended.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
    assert "Traceback" not in ended.err
    assert "error: adopt (" not in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shadow": "auto"}, "give --auxiliary DATA"),
        ({"shadow": "none", "auxiliary": "scenes"}, "--auxiliary belongs to --shadow auto"),
        ({"recipe": "quick"}, "it belongs to --shadow auto"),
        ({"shadow_members": "scenes"}, "belong to --shadow PATH"),
        ({"shadow": "x.safetensors"}, "say which pairs it was trained on"),
        ({"shadow": "x.safetensors", "auxiliary": "scenes"}, "say which pairs it was trained on"),
        ({"attack": "clid_th"}, "declines: it learns from a shadow"),
        ({"attack": "ref_loss"}, "ref_loss[reference=base] with --base"),
        ({"attack": "los"}, "did you mean loss"),
        ({"out": "/no/such/folder/a.md"}, "there is no folder"),
        ({"out": "/"}, "--out / is a folder; name a file in it"),
        ({"members": "folder:/no/such"}, "does not exist"),
        ({"members": "folder:https://a.b/c"}, "folder:https://a.b/c is a web address; download"),
    ],
)
def test_words_that_do_not_go_together_are_one_line(ask, tiny_base, options, said):
    ended = ask(tiny_base, **options)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert said in ended.err


@pytest.mark.parametrize("form", ["unet", "weights"])
def test_half_a_model_needs_a_base(ask, tiny_base, form):
    unet = tiny_base / "unet"
    target = unet if form == "unet" else next(unet.glob("*.safetensors"))
    ended = ask(target, base=None)
    assert ended.code == 2
    assert "name what it was trained from by --base" in ended.err


def test_an_adapter_names_its_base(ask, tiny_base, place):
    told = {"peft_type": "LORA", "base_model_name_or_path": "somebody/sd"}
    (place / "adapter_config.json").write_text(json.dumps(told))
    ended = ask(place, base=None)
    assert "it says it was trained on somebody/sd" in ended.err


def test_an_unknown_start_cannot_train_a_shadow(ask, tiny_base, sides):
    ended = ask(tiny_base, base=None, auxiliary=f"folder:{sides['auxiliary']}")
    assert "trains from what the target was trained from: --base" in ended.err


def test_members_and_holdouts_of_one_folder_are_refused(ask, tiny_base, sides):
    ended = ask(tiny_base, holdouts=f"folder:{sides['members']}")
    assert ended.code == 3
    assert "holdouts and members are the same data" in ended.err


def test_a_pair_on_both_sides_is_named(ask, tiny_base, sides, place):
    both = shutil.copytree(sides["holdouts"], place / "both")
    shutil.copy(sides["members"] / "3.png", both / "extra.png")
    lines = (sides["members"] / "metadata.jsonl").read_text().splitlines()
    line = json.loads(lines[3]) | {"file_name": "extra.png"}
    with (both / "metadata.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    ended = ask(tiny_base, holdouts=f"folder:{both}")
    assert ended.code == 3
    assert "extra.png of holdouts is 3.png of members: the same picture and caption" in ended.err
    # Another caption makes it a near-duplicate: a gate, once all is computed.
    text = (both / "metadata.jsonl").read_text()
    (both / "metadata.jsonl").write_text(text.replace(line["text"], "words of its own"))
    ended = ask(tiny_base, "--attack", "loss", holdouts=f"folder:{both}")
    assert ended.code == 3
    assert "1 near-duplicate pictures and 0 equal captions" in ended.out
    pair = "extra.png of holdouts and 3.png of members (near-duplicate pictures)"
    turned = "3.png of members and extra.png of holdouts (near-duplicate pictures)"
    assert any(f"Remove from one of the two sides: {said}." in ended.out for said in (pair, turned))
    last = ended.err.splitlines()[-1]
    assert "duplicates" in last
    assert any(last.endswith(f"; remove from one side {said}") for said in (pair, turned))


def test_captions_on_both_sides_are_named_a_few_and_counted(ask, tiny_base, sides, place):
    both = shutil.copytree(sides["holdouts"], place / "both")
    told = [json.loads(line) for line in (sides["members"] / "metadata.jsonl").open()]
    lines = [json.loads(line) for line in (both / "metadata.jsonl").open()]
    for line, other in zip(lines[:7], told, strict=False):
        line["text"] = other["text"].upper()
    (both / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ended = ask(tiny_base, "--attack", "loss", "--out", place / "r.md", holdouts=f"folder:{both}")
    assert ended.code == 3
    for text in (ended.out, (place / "r.md").read_text()):
        assert text.count("(the same caption)") == 5
        assert "; and 2 more." in text


def test_too_few_are_refused(ask, tiny_base, sides, place):
    few = shutil.copytree(sides["holdouts"], place / "few")
    lines = (few / "metadata.jsonl").read_text().splitlines(keepends=True)
    (few / "metadata.jsonl").write_text("".join(lines[:19]))
    ended = ask(tiny_base, holdouts=f"folder:{few}")
    assert ended.code == 3
    assert "holdouts: 19 pairs" in ended.err
    assert "at least 20 are needed" in ended.err


def test_auxiliary_pairs_that_are_all_members_make_no_shadow(ask, tiny_base, sides, place):
    near = shutil.copytree(sides["members"], place / "near")
    lines = (near / "metadata.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    changed = [json.dumps(line | {"text": f"number {i}"}) for i, line in enumerate(told)]
    (near / "metadata.jsonl").write_text("\n".join(changed))
    ended = ask(tiny_base, "--attack", "loss", auxiliary=f"folder:{near}")
    assert ended.code == 3
    assert "auxiliary: 0 pairs that share no caption or picture" in ended.err
