"""Adapters as peft and diffusers save them, merged: what the libraries' own forward gives."""

from __future__ import annotations

import json
import re

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.training_utils import _collate_lora_metadata as metadata_of
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from hubs import write_cache
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.errors import OfflineError, UsageError
from bench.models.adapters import LORA, PEFT_WEIGHTS
from bench.models.adopted import adopted, weights_of
from bench.models.base import encode_text, load_base

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
ROUNDING = {"rtol": 0, "atol": 5e-6}
"""Of text states, which are up to 3; predictions agree to 1e-6."""
DOWN = re.compile(r"lora_A|lora\.down")
WORDS = ["q_proj", "k_proj", "v_proj", "out_proj"]


def config(modules=ATTENTION, **more):
    usual = {"r": 4, "lora_alpha": 10, "init_lora_weights": "gaussian"}
    return LoraConfig(target_modules=modules, **usual | more)


def stir(model):
    """Updates that are not zero, as after a training."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.copy_(0.05 * torch.randn(value.shape, generator=generator))
    return model


def forward(unet):
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(2, 4, 8, 8, generator=generator)
    text = torch.randn(2, 77, 32, generator=generator)
    with torch.no_grad():
        return unet(noisy, torch.tensor(450), text).sample


def as_read(place, tiny_base):
    """A fresh base with what is adopted from there, as a stage makes it."""
    fresh = load_base(tiny_base)
    weights = weights_of(adopted(str(place)), load_base(tiny_base))
    for part, state in weights.items():
        getattr(fresh, part).load_state_dict(state)
    return fresh, set(weights)


@pytest.fixture
def base(tiny_base):
    return load_base(tiny_base)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"to_k": 2}, "alpha_pattern": {"to_k": 7}},
        {"use_dora": True},
        {"target_modules": ["to_q", "conv1", "proj_in"]},
    ],
    ids=["plain", "rslora", "patterns", "dora", "convolutions"],
)
def test_a_peft_adapter_answers_as_peft_does(base, tiny_base, tmp_path, more):
    modules = more.pop("target_modules", ATTENTION)
    plain = forward(base.unet)
    theirs = stir(get_peft_model(base.unet, config(modules, **more))).eval()
    expected = forward(theirs)
    theirs.save_pretrained(tmp_path / "adapter")
    ours, parts = as_read(tmp_path / "adapter", tiny_base)
    assert parts == {"unet"}
    torch.testing.assert_close(forward(ours.unet), expected, rtol=0, atol=1e-6)
    assert (expected - plain).abs().max() > 1e-3


def save_with_diffusers(base, folder, *, text=False, tell_alpha=True):
    """As the training scripts of diffusers do; returns the U-Net's and the words' answer."""
    base.unet.add_adapter(config())
    stir(base.unet)
    layers = {
        "unet_lora_layers": convert_state_dict_to_diffusers(get_peft_model_state_dict(base.unet))
    }
    models = {"unet": base.unet}
    if text:
        # transformers 5 has add_adapter ask for a later peft than diffusers; peft itself does not.
        models["text_encoder"] = stir(get_peft_model(base.text_encoder, config(WORDS)))
        found = get_peft_model_state_dict(models["text_encoder"])
        plain = {name.removeprefix("base_model.model."): value for name, value in found.items()}
        layers["text_encoder_lora_layers"] = convert_state_dict_to_diffusers(plain)
    more = metadata_of(models) if tell_alpha else {}
    StableDiffusionPipeline.save_lora_weights(folder, **layers, **more)


@pytest.mark.parametrize("text", [False, True], ids=["unet", "unet and text"])
def test_a_diffusers_adapter_answers_as_diffusers_does(base, tiny_base, tmp_path, text):
    plain = encode_text(base, ["a red square"])
    save_with_diffusers(base, tmp_path / "adapter", text=text)
    expected, words = forward(base.unet), encode_text(base, ["a red square"])
    ours, parts = as_read(tmp_path / "adapter", tiny_base)
    assert parts == ({"unet", "text_encoder"} if text else {"unet"})
    torch.testing.assert_close(forward(ours.unet), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(encode_text(ours, ["a red square"]), words, **ROUNDING)
    assert ((words - plain).abs().max() > 1e-3) == text


def test_without_a_word_on_alpha_it_is_the_rank(base, tiny_base, tmp_path):
    """So diffusers reads it: the same file through its own pipeline loader."""
    save_with_diffusers(base, tmp_path / "adapter", tell_alpha=False)
    theirs = load_base(tiny_base)
    state = StableDiffusionPipeline.lora_state_dict(str(tmp_path / "adapter"))
    StableDiffusionPipeline.load_lora_into_unet(*state, theirs.unet)
    ours, _ = as_read(tmp_path / "adapter", tiny_base)
    torch.testing.assert_close(forward(ours.unet), forward(theirs.unet), rtol=0, atol=1e-6)
    assert (forward(ours.unet) - forward(base.unet)).abs().max() > 1e-3


def test_a_kohya_file_is_read_with_its_alpha(base, tiny_base, tmp_path):
    base.unet.add_adapter(config())
    expected = forward(stir(base.unet))
    own = {f"unet.{name}": v for name, v in get_peft_model_state_dict(base.unet).items()}
    kohya = convert_state_dict_to_kohya(own)
    assert all(name.startswith("lora_unet_") for name in kohya)
    alphas = {f"{n.split('.')[0]}.alpha": torch.tensor(10.0) for n in kohya}
    save_file({n: v.contiguous() for n, v in (kohya | alphas).items()}, tmp_path / "k.safetensors")
    ours, _ = as_read(tmp_path / "k.safetensors", tiny_base)
    torch.testing.assert_close(forward(ours.unet), expected, rtol=0, atol=1e-6)


def test_a_pair_of_peft_adapters_changes_both_parts(base, tiny_base, tmp_path):
    get_peft_model(base.unet, config()).save_pretrained(tmp_path / "unet")
    text = stir(get_peft_model(base.text_encoder, config(WORDS)))
    text.save_pretrained(tmp_path / "text_encoder")
    words = encode_text(base, ["a red square"])
    ours, parts = as_read(tmp_path, tiny_base)
    assert parts == {"unet", "text_encoder"}
    torch.testing.assert_close(encode_text(ours, ["a red square"]), words, **ROUNDING)


def spoilt(folder, name, change):
    state = load_file(folder / name)
    change(state)
    save_file(state, folder / name)


def lengthen(state):
    name = next(n for n in state if DOWN.search(n))
    state[name] = torch.cat([state[name]] * 2, dim=1)


def rename(state):
    name = next(n for n in state if DOWN.search(n))
    state[name.replace("attn1", "attn7").replace("attn2", "attn7")] = state.pop(name)


def drop(state):
    del state[next(n for n in state if DOWN.search(n))]


@pytest.mark.parametrize("change", [lengthen, rename, drop])
@pytest.mark.parametrize("by", ["peft", "diffusers"])
def test_what_does_not_fit_is_one_line(base, tiny_base, tmp_path, change, by):
    folder = tmp_path / "adapter"
    if by == "peft":
        get_peft_model(base.unet, config()).save_pretrained(folder)
    else:
        save_with_diffusers(base, folder)
    spoilt(folder, PEFT_WEIGHTS if by == "peft" else LORA, change)
    with pytest.raises(UsageError, match="does not fit") as caught:
        weights_of(adopted(str(folder)), load_base(tiny_base))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"r": "x"}, 'r is "x" in adapter_config.json, no whole number above 0'),
        ({"r": 0}, "r is 0 in adapter_config.json, no whole number above 0"),
        ({"lora_alpha": None}, "lora_alpha is null in adapter_config.json, no number above 0"),
        ([], "adapter_config.json is not a JSON object; save it again with peft"),
    ],
)
def test_a_broken_configuration_is_told_by_its_words(base, tmp_path, changes, said):
    get_peft_model(base.unet, config()).save_pretrained(tmp_path / "a")
    path = tmp_path / "a" / "adapter_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | changes if changes else changes))
    with pytest.raises(UsageError) as caught:
        weights_of(adopted(str(tmp_path / "a")), base)
    assert said in str(caught.value)


def test_half_a_pair_of_kohya_s_is_told_by_the_missing_half(base, tmp_path):
    save_file({"lora_te1_x.lora_down.weight": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="it lacks 'lora_te1_x.lora_up.weight'"):
        weights_of(adopted(str(tmp_path / "a.safetensors")), base)


def test_other_kinds_of_adapter_are_named(base, tmp_path):
    get_peft_model(base.unet, config()).save_pretrained(tmp_path)
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(told | {"peft_type": "LOHA"}))
    with pytest.raises(UsageError, match="of type LOHA; only LORA"):
        weights_of(adopted(str(tmp_path)), base)


def test_an_adapter_and_a_pipeline_by_name_on_the_hub(tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    trained = stir(get_peft_model(load_base(tiny_base).unet, config()))
    trained.save_pretrained(tmp_path / "saved")
    write_cache(tmp_path / "hub", "somebody/adapter", tmp_path / "saved")
    write_cache(tmp_path / "hub", "somebody/tiny-sd", tiny_base)
    near, far = adopted(str(tmp_path / "saved")), adopted("somebody/adapter")
    assert (far.form, far.identity) == ("peft", near.identity)
    assert adopted("somebody/tiny-sd@main").form == "pipeline"
    with pytest.raises(OfflineError, match="target somebody/absent is no folder"):
        adopted("somebody/absent")
