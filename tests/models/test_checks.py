"""A base is checked from its configuration files before anything heavy is imported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from layouts import age, write_sd1, write_sd2

from bench.errors import UsageError
from bench.models.base import base_folder, load_base
from bench.models.checks import resolution

GONE = object()
UNET, VAE, TEXT = "unet/config.json", "vae/config.json", "text_encoder/config.json"
TOKENIZER, SCHEDULER = "tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json"

WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "a transformer": (UNET, {"_class_name": "DiTTransformer2DModel"}, "has a DiTTransformer2DM"),
    "another autoencoder": (VAE, {"_class_name": "VQModel"}, "a VQModel as its vae, not a Autoenc"),
    "two text encoders": (
        TEXT,
        {"architectures": ["CLIPTextModelWithProjection"]},
        "has a CLIPTextModelWithProjection",
    ),
    "T5": (TEXT, {"model_type": "t5", "architectures": ["T5EncoderModel"]}, "T5EncoderModel of"),
    "another tokenizer": (TOKENIZER, {"tokenizer_class": "T5Tokenizer"}, "has a T5Tokenizer"),
    "SDXL": (UNET, {"addition_embed_type": "text_time"}, "has addition_embed_type"),
    "an upscaler": (UNET, {"num_class_embeds": 1000}, "has num_class_embeds in unet"),
    "latents of SD 3": (VAE, {"shift_factor": 0.06}, "has shift_factor in vae/config.json"),
    "inpainting": (UNET, {"in_channels": 9}, "reads 9 channels and a VAE of 4 (an inpainting"),
    "a learned variance": (UNET, {"out_channels": 8}, "puts out 8 channels and a VAE of 4"),
    "a wider text": (
        UNET,
        {"cross_attention_dim": 768},
        "width 768 and a text encoder of w",
    ),
    "widths": (UNET, {"cross_attention_dim": [32, 48]}, "of width [32, 48] and a text encoder of"),
    "long texts": (TOKENIZER, {"model_max_length": 128}, "128 tokens and a text encoder with pla"),
    "texts of no end": (TOKENIZER, {"model_max_length": GONE}, "no model_max_length"),
    "no sample size": (UNET, {"sample_size": None}, "sample_size is None"),
    "an oblong": (UNET, {"sample_size": [8, 16]}, "sample_size is [8, 16]"),
    "no channels": (UNET, {"in_channels": GONE}, "no in_channels"),
    "true channels": (VAE, {"latent_channels": True}, "latent_channels is True"),
    "no scale": (VAE, {"scaling_factor": None}, "has a scaling_factor of None"),
    "a negative scale": (VAE, {"scaling_factor": -1.0}, "has a scaling_factor of -1.0"),
    "pictures": (SCHEDULER, {"prediction_type": "sample"}, "the prediction type 'sample'; known: "),
    "flow": (
        SCHEDULER,
        {"_class_name": "FlowMatchEulerDiscreteScheduler", "beta_schedule": GONE},
        "has a FlowMatchEulerDiscreteScheduler with no beta_schedule",
    ),
    "a schedule": (SCHEDULER, {"beta_schedule": "cosine"}, "with cosine; known: linear"),
    "no betas": (SCHEDULER, {"beta_end": GONE}, "whose betas are no numbers between 0 and 1"),
    "large betas": (SCHEDULER, {"beta_end": 1.2}, "whose betas are no numbers between 0 and 1"),
    "too few betas": (SCHEDULER, {"trained_betas": [0.1, 0.2]}, "whose betas are no numbers"),
    "no steps": (SCHEDULER, {"num_train_timesteps": 0}, "num_train_timesteps is 0"),
    "few steps": (SCHEDULER, {"num_train_timesteps": 10}, "of num_train_timesteps 10: attacks"),
    "a scale of NaN": (VAE, {"scaling_factor": float("nan")}, "has a scaling_factor of nan in vae"),
    "no levels": (
        VAE,
        {"block_out_channels": []},
        "vae/config.json that this suite cannot use: bl",
    ),
    "no U-Net": (
        UNET,
        {"block_out_channels": []},
        "unet/config.json that this suite cannot use: b",
    ),
    "half levels": (UNET, {"block_out_channels": [16, 32.5]}, "block_out_channels is [16, 32.5]"),
    "unknown blocks": (
        UNET,
        {"down_block_types": ["Foo", "DownBlock2D"]},
        "unet/config.json that this suite cannot use: down_block_types is ['Foo', 'DownBlock2D']",
    ),
    "a block too few": (UNET, {"up_block_types": ["UpBlock2D"]}, "for each of 2 levels"),
    "odd heads": (UNET, {"attention_head_dim": 3}, "attention_head_dim is 3, which does not divid"),
    "lists of heads": (
        UNET,
        {"num_attention_heads": [2]},
        "num_attention_heads is [2], which does",
    ),
    "zero SNR": (SCHEDULER, {"rescale_betas_zero_snr": True}, "has rescale_betas_zero_snr: at its"),
    "weights elsewhere": (TEXT, {"transformers_weights": "x.safetensors"}, "another file of weig"),
}


def changed(folder: Path, file: str, changes: dict[str, Any]) -> Path:
    config = json.loads((folder / file).read_text()) | changes
    kept = {key: value for key, value in config.items() if value is not GONE}
    (folder / file).write_text(json.dumps(kept))
    return folder


@pytest.fixture
def copied(tiny_base, tmp_path):
    return shutil.copytree(tiny_base, tmp_path / "copy")


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_base_is_one_line(copied, what):
    file, changes, told = WRONG[what]
    with pytest.raises(UsageError) as caught:
        base_folder(str(changed(copied, file, changes)))
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"base {copied} ")
    assert "\n" not in str(caught.value)


def test_the_pipeline_is_named_where_parts_are_missing_or_others(copied):
    changed(copied, "model_index.json", {"_class_name": "FluxPipeline"})
    shutil.rmtree(copied / "unet")
    with pytest.raises(UsageError, match=r"lacks unet \(FluxPipeline\); supported is Stable Diff"):
        base_folder(str(copied))


@pytest.mark.parametrize("content", ["{", "[]", "null"])
@pytest.mark.parametrize("file", [UNET, VAE, TEXT, TOKENIZER, SCHEDULER])
def test_a_configuration_that_cannot_be_read_is_named(copied, file, content):
    (copied / file).write_text(content)
    with pytest.raises(UsageError, match=f"has a {file} that cannot be read"):
        base_folder(str(copied))
    (copied / file).unlink()
    with pytest.raises(UsageError, match=f"{file} that cannot be read: No such file"):
        base_folder(str(copied))


def test_the_real_layouts_pass(tmp_path):
    for folder, variant in (
        (write_sd1(tmp_path / "sd1"), None),
        (write_sd1(tmp_path / "half", "fp16"), "fp16"),
        (age(write_sd1(tmp_path / "old")), None),
        (write_sd2(tmp_path / "sd2"), None),
    ):
        assert base_folder(str(folder), variant) == folder
        assert resolution(folder) == 16


def test_schedules_of_other_samplers_pass(copied):
    betas = [0.001 + 0.00001 * step for step in range(1000)]
    for changes in (
        {"_class_name": "EulerDiscreteScheduler"},
        {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++"},
        {"beta_start": GONE, "beta_schedule": GONE, "trained_betas": betas},
    ):
        changed(copied, SCHEDULER, changes)
        assert base_folder(str(copied)) == copied
    assert load_base(copied).alpha_bar(1) == pytest.approx((1 - betas[0]) * (1 - betas[1]))


def test_no_library_is_needed(tiny_base):
    code = (
        "import sys; from bench.models.base import base_folder, base_identity; "
        "base_identity(base_folder(sys.argv[1])); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'diffusers', 'transformers')))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, tiny_base], cwd=root, check=True)
