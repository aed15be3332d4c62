"""A Stable-Diffusion-shaped model of a megabyte, the `bench` command, and one finished run."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# As in a run. Two threads for so small a model cost thirty times one, where cores are shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 77
WIDTH = 32


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Ran(NamedTuple):
    """A finished run: what was typed but for the attacks, its store, and how it ended."""

    words: tuple[Any, ...]
    store: Path
    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's cache that the tests share with nobody."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised base (16 x 16 pixels, 8 x 8 latents) in the diffusers format."""
    return write_base(tmp_path_factory.mktemp("bases") / "tiny-sd")


def write_base(folder: Path, prediction_type: str = "epsilon", seed: int = 0) -> Path:
    """Writes the five parts that every base has."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    words = write_tokenizer(folder / "tokenizer")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 16),
            norm_num_groups=4,
            layers_per_block=1,
            latent_channels=4,
            sample_size=16,
        )
        unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=2,
            cross_attention_dim=WIDTH,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=words,
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=TOKENS,
                bos_token_id=words - 2,
                eos_token_id=words - 1,
                pad_token_id=words - 1,
            )
        )
    vae.save_pretrained(folder / "vae")
    unet.save_pretrained(folder / "unet")
    text.save_pretrained(folder / "text_encoder")
    DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    ).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_tokenizer(folder: Path) -> int:
    """CLIP's layout with single letters and no merges; returns the size of the vocabulary."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    folder.mkdir(parents=True)
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": TOKENS,
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(words)


@pytest.fixture(scope="session")
def cli() -> Callable[..., Ended]:
    """`bench ...` in this process."""
    return run_here


def run_here(*words: object) -> Ended:
    """Calls the entry point with these words; what it would print and exit with."""
    from bench.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def shell() -> Callable[..., Ended]:
    """`bench ...` as a process of its own; `before` is Python that runs ahead of it."""

    def run(*words: object, before: str = "", cwd: Path | None = None, **environment: str) -> Ended:
        command = command_line(*words, before=before)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=os.environ | environment_of_bench() | environment,
            timeout=600,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def command_line(*words: object, before: str = "") -> list[str]:
    """The words that start `bench` in a new interpreter."""
    code = f"{before}\nfrom bench.cli.app import main\nmain()"
    start = ["-c", code] if before else ["-m", "bench"]
    return [sys.executable, *start, *map(str, words)]


def environment_of_bench() -> dict[str, str]:
    """What a process needs to import this checkout from any folder."""
    return {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def tiny_words(tiny_base: Path) -> tuple[Any, ...]:
    """Options of the smallest run there is."""
    return ("--data", "scenes:n=120", "--recipe", "quick", "--base", tiny_base, "--defense", "none")


@pytest.fixture(scope="session")
def ran(
    cli: Callable[..., Ended], tiny_words: tuple[Any, ...], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """Both attacks with one worker, from nothing."""
    store = tmp_path_factory.mktemp("stores") / "ran"
    attacks = ("--attack", "loss", "--attack", "clid_th")
    ended = cli("run", *tiny_words, *attacks, "--workers", 1, "--store", store)
    return Ran(tiny_words, store, *ended)


@pytest.fixture
def copied(ran: Ran, tmp_path: Path) -> Path:
    """A copy of that store, to be spoilt."""
    return Path(shutil.copytree(ran.store, tmp_path / "copied"))
