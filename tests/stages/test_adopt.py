"""A model taken over: what later stages load is the model that was given, its words included."""

from __future__ import annotations

import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model

from bench.errors import ValidationError
from bench.models.adopted import adopted
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


def test_a_fine_tuned_text_encoder_of_a_pipeline_is_kept(tiny_base, tmp_path, adopt, as_loaded):
    place = shutil.copytree(tiny_base, tmp_path / "mine")
    text = load_base(place).text_encoder
    with torch.no_grad():
        text.final_layer_norm.weight.mul_(1.5)
    text.save_pretrained(place / "text_encoder")
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


def test_a_model_that_changed_meanwhile_is_refused(tiny_base, adopt):
    with pytest.raises(ValidationError, match="changed while the audit was going on"):
        adopt(tiny_base / "unet", identity="another")
