"""Random networks of the true shapes of Stable Diffusion 1.x, through the suite's own code.

On a CPU with 24 GiB: 4.3 GB of weights are written and loaded, and each test makes one step.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import SCHEDULE
from PIL import Image
from safetensors.torch import load_file

from bench.contract.base import write_tokenizer
from bench.data.pairs import Pairs
from bench.models.base import base_folder, base_identity, load_base
from bench.models.target import ModelTarget
from bench.specs import Sampling
from bench.training.loop import Task, train
from bench.training.recipe import Recipe
from bench.utility.sampling import sample

pytestmark = pytest.mark.slow

ROWS = [440, 450]


def write_true_shapes(folder: Path) -> Path:
    """U-Net, VAE and CLIP-L text tower as configured in SD 1.5; one part in memory at a time."""
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    levels = (320, 640, 1280, 1280)
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=levels, cross_attention_dim=768, attention_head_dim=8
    )
    assert unet.num_parameters() == 859_520_964
    unet.save_pretrained(folder / "unet")
    del unet
    levels = (128, 256, 512, 512)
    vae = AutoencoderKL(
        block_out_channels=levels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    assert vae.num_parameters() == 83_653_863
    vae.save_pretrained(folder / "vae")
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49_408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            projection_dim=768,
        )
    )
    assert text.num_parameters() == 123_060_480
    text.save_pretrained(folder / "text_encoder")
    write_tokenizer(folder / "tokenizer")
    PNDMScheduler(skip_prk_steps=True, steps_offset=1, **SCHEDULE).save_pretrained(
        folder / "scheduler"
    )
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("true") / "sd"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield base_folder(str(write_true_shapes(place)))
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def pair() -> Pairs:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((640, 480))
    return Pairs(("p0",), ("a picture of noise",), ("a picture of noise",), lambda _: picture)


def test_one_question_of_an_attack(folder, pair):
    target = ModelTarget(load_base(folder), seed=0)
    assert target.base.resolution == 512
    losses = target.losses(pair, ROWS)
    assert losses.shape == (1, 2)
    assert np.isfinite(losses).all()
    assert (losses > 0).all()
    assert target.queries == target.shared.made == 2
    assert tuple(target.latents(pair).shape) == (1, 4, 64, 64)
    assert tuple(target.text(pair.captions).shape) == (1, 77, 768)


def test_one_step_of_sampling(folder, pair):
    pictures = sample(load_base(folder), pair, Sampling(steps=1), lambda done, of: None)
    assert pictures.shape == (1, 512, 512, 3)
    assert pictures.std() > 0


def test_one_step_of_training(folder, pair, tmp_path):
    base, recipe = load_base(folder), Recipe(name="one", epochs=1, batch=1, lr=1e-5)
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()
    figures = train(base, Task(pair, recipe, "default", 0, pair), work, out, lambda *_: None)
    assert (figures["steps"], figures["pictures"]) == (1, 1)
    assert np.isfinite(figures["loss_by_epoch"]).all()
    before = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    after = load_file(out / "unet.safetensors")
    assert before.keys() == after.keys()
    moved = sum(not torch.equal(before[name], after[name]) for name in before)
    assert moved > 0.9 * len(before)


def test_its_identity_is_read_once(folder, tmp_path, monkeypatch):
    from bench import digests

    monkeypatch.setattr(digests, "_notes", lambda: tmp_path / "notes")
    monkeypatch.setattr(digests, "SETTLED", -1e9)
    first = base_identity(folder)

    def read(path: Path) -> str:
        assert path.stat().st_size < digests.LARGE, f"{path} is read again"
        return digests.hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(digests, "file_digest", read)
    assert base_identity(folder) == first
