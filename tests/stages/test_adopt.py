"""A model taken over: what later stages load is the model that was given, its words included."""

from __future__ import annotations

import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model

from bench.errors import UsageError, ValidationError
from bench.models.adopted import adopted, weights_of
from bench.models.base import base_identity, encode_text, load_base
from bench.stages.adopt import run
from bench.stages.job import Job


@pytest.fixture
def adopt(tiny_base, tmp_path):
    def make(place, identity=None):
        model = adopted(str(place))
        out = tmp_path / "out"
        out.mkdir()
        params = {"model": identity or model.identity, "base": base_identity(tiny_base)}
        hints = {"base": str(tiny_base), "model": model.model_dump(mode="json")}
        return run(Job("adopt", params, hints, {}, tmp_path, out, lambda *told: None)), out

    return make


@pytest.fixture
def as_loaded(tiny_base):
    """The model that a stage gets which reads this one."""

    def load(folder):
        params = {"base": base_identity(tiny_base)}
        hints = {"base": str(tiny_base)}
        job = Job("features", params, hints, {"model": folder}, folder, folder, lambda *told: None)
        return job.model()

    return load


def test_an_adapter_of_the_text_encoder_alone_reaches_the_attacker(
    tiny_base, tmp_path, adopt, as_loaded
):
    base = load_base(tiny_base)
    plain = encode_text(base, ["a red square"])
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base.text_encoder, config).save_pretrained(tmp_path / "text")
    expected = encode_text(base, ["a red square"])
    result, out = adopt(tmp_path / "text")
    assert result["changed"] == 4  # q and v of two layers
    found = as_loaded(out)
    torch.testing.assert_close(encode_text(found, ["a red square"]), expected, rtol=0, atol=1e-5)
    assert (expected - plain).abs().max() > 1e-3
    for name, value in load_base(tiny_base).unet.state_dict().items():
        assert found.unet.state_dict()[name].equal(value)


def largely(text):
    text.final_layer_norm.weight.mul_(1.5)


def slightly(text):
    """As 20 steps at 1e-6 would, below what half precision can tell for most weights."""
    for weight in text.parameters():
        weight.add_(2e-5 * torch.randn(weight.shape).sign())


@pytest.mark.parametrize("train", [largely, slightly])
@pytest.mark.parametrize("half", [False, True])
def test_a_fine_tuned_text_encoder_of_a_pipeline_is_kept(
    tiny_base, tmp_path, adopt, as_loaded, train, half
):
    place = shutil.copytree(tiny_base, tmp_path / "mine")
    text = load_base(place).text_encoder
    with torch.no_grad():
        train(text)
    (text.half() if half else text).save_pretrained(place / "text_encoder")
    _, out = adopt(place)
    assert (out / "text_encoder.safetensors").exists()
    expected = encode_text(load_base(place), ["a red square"])
    torch.testing.assert_close(
        encode_text(as_loaded(out), ["a red square"]), expected, rtol=0, atol=1e-6
    )


def test_the_base_s_own_text_encoder_is_not_stored_again(tiny_base, adopt):
    result, out = adopt(tiny_base)
    assert result["changed"] == 0
    assert [path.name for path in out.iterdir()] == ["unet.safetensors"]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("of", ["target", "base"])
def test_what_was_rounded_to_half_precision_was_not_trained(tiny_base, tmp_path, kind, of):
    place = shutil.copytree(tiny_base, tmp_path / "mine")
    base = load_base(place)
    base.text_encoder.to(kind).save_pretrained(place / "text_encoder")
    base.vae.to(kind).save_pretrained(place / "vae")
    target, start = (place, tiny_base) if of == "target" else (tiny_base, place)
    weights = weights_of(adopted(str(target)), load_base(start))
    # Of a base in halves it is not known what was lost, and the target's own is sure to be right.
    assert ("text_encoder" in weights) == (of == "base")


def test_an_image_encoder_that_was_trained_a_little_is_refused(tiny_base, tmp_path):
    place = shutil.copytree(tiny_base, tmp_path / "mine")
    vae = load_base(place).vae
    with torch.no_grad():
        vae.quant_conv.weight.add_(2e-5)
    vae.save_pretrained(place / "vae")
    with pytest.raises(UsageError, match="the image encoder of"):
        weights_of(adopted(str(place)), load_base(tiny_base))


def test_a_model_that_changed_meanwhile_is_refused(tiny_base, adopt):
    with pytest.raises(ValidationError, match="changed while the audit was going on"):
        adopt(tiny_base / "unet", identity="another")
