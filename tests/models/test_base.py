"""Any Stable-Diffusion-shaped folder is a base, and nothing else is."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from layouts import age, write_sd1
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.data.pairs import Pairs
from bench.errors import OfflineError, UsageError
from bench.models.base import base_folder, base_identity, encode_text, load_base
from bench.models.checks import resolution
from bench.models.files import PARTS
from bench.specs import Sampling
from bench.utility.sampling import sample


@pytest.fixture
def copied(tiny_base, tmp_path):
    return shutil.copytree(tiny_base, tmp_path / "copy")


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(OfflineError, match=r"no base model folder at .*nowhere"):
        base_folder("/nowhere")


def test_missing_parts_are_all_named(copied):
    shutil.rmtree(copied / "vae")
    shutil.rmtree(copied / "scheduler")
    with pytest.raises(UsageError, match="lacks vae, scheduler"):
        base_folder(str(copied))


@pytest.mark.parametrize("part", PARTS)
def test_identity_changes_with_one_byte_of_any_part(copied, part):
    before = base_identity(copied)
    file = max((copied / part).iterdir())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert base_identity(copied) != before


def test_identity_ignores_where_the_folder_lies_and_what_no_run_reads(tiny_base, copied):
    (copied / "README.md").write_text("a model card")
    assert base_identity(copied) == base_identity(tiny_base)


def test_resolution_is_the_same_before_and_after_loading(tiny_base, base):
    assert resolution(tiny_base) == base.resolution == 16


def test_a_broken_configuration_is_one_line(copied):
    (copied / "unet" / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"unet/config\.json that cannot be read"):
        resolution(copied)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("harm", ["truncated", "missing"])
def test_broken_weights_are_a_usage_error(copied, part, harm):
    weights = next((copied / part).glob("*.safetensors"))
    if harm == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        weights.unlink()
    told = "cannot be loaded" if harm == "truncated" else f"has no weights in {part}"
    with pytest.raises(UsageError, match=told):
        load_base(copied)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("harm", ["lacks", "has too much", "shape"])
def test_weights_that_do_not_fit_are_never_made_up(copied, part, harm):
    (path,) = (copied / part).glob("*.safetensors")
    weights = load_file(path)
    name = next(name for name in sorted(weights) if weights[name].dim() > 1)
    if harm == "lacks":
        del weights[name]
    elif harm == "shape":
        weights[name] = weights[name][:1].contiguous()
    else:
        weights["another.weight"] = weights[name].clone()
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        load_base(copied)
    assert harm in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("harm", ["not finite", "I32"])
def test_weights_that_are_no_numbers_are_named(copied, part, harm):
    (path,) = (copied / part).glob("*.safetensors")
    weights = load_file(path)
    name = max(weights)
    wrong = weights[name] * torch.nan if harm == "not finite" else weights[name].int()
    save_file(weights | {name: wrong}, path, metadata={"format": "pt"})
    with pytest.raises(UsageError, match=harm) as caught:
        load_base(copied)
    assert name in str(caught.value)
    assert part in str(caught.value)


def test_pickled_weights_are_not_opened(copied):
    (path,) = (copied / "unet").glob("*.safetensors")
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    for read in (load_base, lambda folder: base_folder(str(folder))):
        with pytest.raises(UsageError, match="has only pickled weights in unet"):
            read(copied)


def test_a_tokenizer_with_more_words_than_the_text_encoder_is_refused(copied):
    config = json.loads((copied / "text_encoder" / "config.json").read_text())
    words = config["vocab_size"]
    vocabulary = json.loads((copied / "tokenizer" / "vocab.json").read_text())
    (copied / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary | {"word": words}))
    with pytest.raises(UsageError, match=f"of {words + 1} words and text_encoder of {words}"):
        load_base(copied)


def test_all_parts_are_frozen_float32_and_in_eval_mode(base):
    for model in (base.unet, base.vae, base.text_encoder):
        assert not model.training
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert not any(p.requires_grad for p in model.parameters())


def test_half_precision_weights_are_read_as_float32(tiny_base, base, copied):
    base_half = load_base(tiny_base)
    base_half.unet.half().save_pretrained(copied / "unet")
    loaded = load_base(copied)
    for ours, given in zip(loaded.unet.parameters(), base.unet.parameters(), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, given.half().float(), rtol=0, atol=0)


def test_given_weights_replace_those_of_the_unet_alone(tiny_base, base, tmp_path):
    wanted = {name: p + 1 for name, p in base.unet.state_dict().items()}
    save_file(wanted, tmp_path / "unet.safetensors")
    loaded = load_base(tiny_base, tmp_path / "unet.safetensors")
    for name, value in loaded.unet.state_dict().items():
        assert torch.equal(value, wanted[name])
    for name, value in loaded.vae.state_dict().items():
        assert torch.equal(value, base.vae.state_dict()[name])


def test_weights_that_do_not_fit_are_one_line(tiny_base, base, tmp_path):
    path = tmp_path / "unet.safetensors"
    weights = base.unet.state_dict()
    short = {name: p[:1].clone() for name, p in weights.items()}
    for spoil in (lambda: save_file(short, path), lambda: path.write_bytes(b"\0" * 9)):
        spoil()
        with pytest.raises(UsageError, match=r"unet\.safetensors do not fit") as caught:
            load_base(tiny_base, path)
        assert "\n" not in str(caught.value)


def test_convolutions_keep_their_mantissa_on_a_gpu(base):
    assert base.unet is not None  # loading it set the switch
    assert not torch.backends.cudnn.allow_tf32


def test_the_schedule_in_double_precision_is_that_of_the_betas(base):
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    for t in (0, 500, 999):
        assert base.alpha_bar(t) == pytest.approx(np.prod(1 - betas[: t + 1]), rel=1e-6)
        assert 1 - base.alpha_bar(t) == pytest.approx(1 - np.prod(1 - betas[: t + 1]), rel=1e-6)


def test_text_states_are_those_of_the_pipeline(tiny_base, base):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_base, safety_checker=None)
    captions = ["a red circle", "", "word " * 100]
    ours = encode_text(base, captions)
    theirs, _ = pipeline.encode_prompt(captions, "cpu", 1, do_classifier_free_guidance=False)
    assert ours.shape == (3, base.tokenizer.model_max_length, 32)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_folder_of_2022_is_what_it_became(tmp_path):
    """Same weights, same schedule, same pictures as those of today's files."""
    today = load_base(write_sd1(tmp_path / "today"))
    old = load_base(age(write_sd1(tmp_path / "old")))
    for part in ("unet", "vae", "text_encoder"):
        pairs = zip(getattr(today, part).parameters(), getattr(old, part).parameters(), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert torch.equal(today.alphas_cumprod, old.alphas_cumprod)
    assert (old.scaling_factor, old.prediction_type) == (0.18215, "epsilon")
    picture = Image.new("RGB", (16, 16))
    prompt = Pairs(("p0",), ("a red circle",), ("a red circle",), lambda _: picture)
    drawn = [sample(base, prompt, Sampling(steps=3), lambda *_: None) for base in (today, old)]
    assert np.array_equal(*drawn)
    assert drawn[0].std() > 0


@pytest.mark.filterwarnings("error::FutureWarning")
@pytest.mark.parametrize("kind", ["PNDMScheduler", "EulerDiscreteScheduler", "DDIMScheduler"])
def test_the_sampler_that_a_folder_was_saved_with_changes_nothing(tiny_base, copied, kind):
    """Noise is added and taken away by the schedule; latents are never clipped."""
    path = copied / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    kept = {key: config[key] for key in ("beta_start", "beta_end", "beta_schedule")}
    kept["set_alpha_to_one"] = False
    path.write_text(json.dumps(kept | {"_class_name": kind, "num_train_timesteps": 1000}))
    picture = Image.new("RGB", (16, 16))
    prompt = Pairs(("p0",), ("a red circle",), ("a red circle",), lambda _: picture)
    ours, theirs = load_base(tiny_base), load_base(copied)
    assert torch.equal(ours.alphas_cumprod, theirs.alphas_cumprod)
    assert np.array_equal(
        sample(ours, prompt, Sampling(steps=3), lambda *_: None),
        sample(theirs, prompt, Sampling(steps=3), lambda *_: None),
    )


def test_the_schedule_is_the_folder_s_own(copied):
    path = copied / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text()) | {"beta_end": 0.02, "prediction_type": "v_prediction"}
    path.write_text(json.dumps(config))
    loaded = load_base(copied)
    betas = torch.linspace(0.00085**0.5, 0.02**0.5, 1000) ** 2
    torch.testing.assert_close(loaded.alphas_cumprod, torch.cumprod(1 - betas, 0))
    assert loaded.prediction_type == "v_prediction"


def test_large_pictures_go_through_the_autoencoder_one_at_a_time(copied):
    """By size alone; small ones as ever, all of a batch."""
    assert not load_base(copied).vae.use_slicing
    path = copied / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": 72}))
    large = load_base(copied)
    assert large.resolution == 144
    met = []
    hook = large.vae.encoder.register_forward_hook(lambda _, args, out: met.append(len(args[0])))
    pictures = torch.randn(3, 3, 144, 144, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = large.vae.encode(pictures).latent_dist.mean
        hook.remove()
        alone = torch.cat([large.vae.encode(one[None]).latent_dist.mean for one in pictures])
    assert met == [1, 1, 1]
    assert torch.equal(together, alone)
