"""Which files of a base are read, by their names alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.models.base import base_identity, embedded_folder
from bench.models.files import listed, read_files

PLAIN = [
    "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json", "text_encoder/model.safetensors",
    "tokenizer/merges.txt", "tokenizer/vocab.json", "scheduler/scheduler_config.json",
]  # fmt: skip
HALF = [
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/model.fp16.safetensors",
]
OTHERS = [
    "README.md", "v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.non_ema.safetensors", "vae/diffusion_pytorch_model.fp16.bin",
    "text_encoder/pytorch_model.bin", "text_encoder/flax_model.msgpack", "text_encoder/model.onnx",
    "unet/openvino.safetensors", "safety_checker/model.safetensors", "model_index.json",
]  # fmt: skip


def read(names: list[str], variant: str | None = None) -> set[str]:
    return set(read_files(names, variant, "x/y"))


def test_plain_weights_are_read_and_no_others():
    assert read(PLAIN + HALF + OTHERS) == set(PLAIN)


def test_of_a_variant_only_its_weights_are_read():
    rest = {name for name in PLAIN if not name.endswith(".safetensors")}
    assert read(PLAIN + HALF + OTHERS, "fp16") == rest | set(HALF)


def test_a_part_without_the_variant_has_its_plain_weights_read():
    own = "unet/diffusion_pytorch_model.non_ema.safetensors"
    assert read(PLAIN + HALF + OTHERS, "non_ema") == {*PLAIN, own} - {PLAIN[1]}


@pytest.mark.parametrize(
    ("shards", "variant"),
    [
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
          "model.safetensors.index.json"], None),
        (["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors",
          "model.safetensors.index.fp16.json"], "fp16"),
        (["model-00001-of-00002.fp16.safetensors", "model-00002-of-00002.fp16.safetensors",
          "model.safetensors.index.fp16.json"], "fp16"),
    ],
)  # fmt: skip
def test_weights_in_several_files_are_read_with_their_index(shards, variant):
    names = [f"unet/diffusion_pytorch_{name}" for name in shards]
    rest = [name for name in PLAIN if not name.startswith("unet/d")]
    assert set(names) <= read(rest + names, variant)
    other = None if variant else "fp16"
    with pytest.raises(UsageError):
        read(rest + names, other)


@pytest.mark.parametrize(
    ("names", "variant", "told"),
    [
        (PLAIN, "fp16", "has no weights of variant fp16 in unet; it has plain ones"),
        (PLAIN[2:], "fp16", "has no weights of variant fp16 in unet; nor any other safetensors"),
        (PLAIN + OTHERS, "fp32", "it has plain ones, non_ema"),
        (HALF, None, "has no plain weights in unet; give --variant fp16"),
        (PLAIN[:1] + PLAIN[2:], None, "no diffusion_pytorch_model.safetensors"),
        (PLAIN[2:] + OTHERS[2:3], None, "has only pickled weights in unet"),
        (PLAIN[:4], None, "has no weights in text_encoder: no model.safetensors"),
    ],
)
def test_what_lacks_is_one_line_with_what_to_do(names, variant, told):
    with pytest.raises(UsageError) as caught:
        read(names, variant)
    assert str(caught.value).startswith("base x/y ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_embedded_base_is_the_one_of_all_published_results():
    assert base_identity(embedded_folder()) == (
        "90aff9bb53202f93c3405d7aac6405e6e0d8f0d9bf08e9f6418255e2b73f4fae"
    )


def test_identity_covers_what_is_read_and_nothing_else(tiny_base: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny_base, tmp_path / "both"))
    plain = base_identity(folder)
    unet = folder / "unet"
    half = unet / "diffusion_pytorch_model.fp16.safetensors"
    half.write_bytes((unet / "diffusion_pytorch_model.safetensors").read_bytes() + b"\0")
    (unet / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    assert base_identity(folder) == plain
    of_half = base_identity(folder, "fp16")
    assert of_half != plain
    half.write_bytes(half.read_bytes() + b"\0")
    assert base_identity(folder, "fp16") not in (of_half, plain)
    assert base_identity(folder) == plain
    assert all((folder / name).is_file() for name in listed(folder))
