"""A CLIP of a few thousand random weights."""

from __future__ import annotations

from pathlib import Path

from bench.contract.base import TOKENS, write_tokenizer

SIDE = 24


def write_clip(folder: Path, seed: int = 1, processor: bool = True, width: int = 16) -> Path:
    """A random CLIP in the files that transformers writes; pictures of 24 x 24."""
    import torch
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    words = write_tokenizer(folder)
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "projection_dim": 8}
    marks = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    text = shape | marks | {"vocab_size": words, "max_position_embeddings": TOKENS}
    config = CLIPConfig(
        text_config=text,
        vision_config=shape | {"image_size": SIDE, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIPModel(config)
        for weights in model.parameters():
            weights.data.normal_(std=0.5)
    model.save_pretrained(folder)
    if processor:
        pictures = CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        )
        CLIPProcessor(pictures, CLIPTokenizer.from_pretrained(folder)).save_pretrained(folder)
    return folder
