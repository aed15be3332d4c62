"""A small CLIP, trained contrastively on the public pairs from nothing."""

import math
import time
from random import Random
from typing import Any

import torch
from mini_data import Public, jitter, recolour, reword, to_signed
from mini_tokenizer import LENGTH
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

CUT = 24  # tokens of a caption in training: batches stay short; definitions train later places


def make_clip(tokenizer: CLIPTokenizer, width: int = 128, patch: int = 4) -> CLIPModel:
    """Text tower of 3 layers and a picture tower of 4, both `width` wide."""
    shape = {"hidden_size": width, "intermediate_size": 3 * width, "projection_dim": 128}
    text = shape | {
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 3,
        "num_attention_heads": width // 32,
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_act": "gelu",
    }
    vision = shape | {
        "image_size": 32,
        "patch_size": patch,
        "num_hidden_layers": 4,
        "num_attention_heads": width // 32,
        "hidden_act": "gelu",
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def tokens(
    tokenizer: CLIPTokenizer, captions: list[str], padding: str = "longest", length: int = LENGTH
) -> Tensor:
    """Token ids, cut at the model's length; 'max_length' pads as Stable Diffusion does."""
    out = tokenizer(
        captions, padding=padding, truncation=True, max_length=length, return_tensors="pt"
    )
    return out.input_ids


def text_vectors(model: CLIPModel, ids: Tensor) -> Tensor:
    """Unit vectors of captions."""
    pooled = model.text_model(input_ids=ids).pooler_output
    return F.normalize(model.text_projection(pooled), dim=-1)


def picture_vectors(model: CLIPModel, images: Tensor) -> Tensor:
    """Unit vectors of pictures in [-1, 1]."""
    pooled = model.vision_model(pixel_values=images).pooler_output
    return F.normalize(model.visual_projection(pooled), dim=-1)


def contrast(pictures: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """CLIP's symmetric loss; rows that share a title are not each other's negatives."""
    logits = scale.exp().clamp(max=50) * pictures @ texts.T
    logits = logits.masked_fill(same & ~torch.eye(len(same), dtype=torch.bool), -1e4)
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def gloss_loss(model: CLIPModel, tokenizer: CLIPTokenizer, lines: list[str]) -> Tensor:
    """Contrast of words and their definitions, both through the text tower."""
    words, _, meanings = zip(*(line.partition(": ") for line in lines), strict=True)
    left = text_vectors(model, tokens(tokenizer, list(words)))
    right = text_vectors(model, tokens(tokenizer, list(meanings)))
    different = torch.zeros(len(lines), len(lines), dtype=torch.bool)
    return contrast(left, right, model.logit_scale, different)


def train_clip(
    public: Public,
    glosses: list[str],
    tokenizer: CLIPTokenizer,
    seed: int,
    steps: int,
    **shape: int,
) -> tuple[CLIPModel, dict[str, Any]]:
    """Train for `steps` batches of 128; returns model and facts.

    Every fourth step also draws words near their dictionary definitions, so that the text tower
    knows more words than the few thousand of the captions.
    """
    torch.manual_seed(seed)
    random, generator = Random(seed), torch.Generator().manual_seed(seed)
    model = make_clip(tokenizer, **shape).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
    images, titles = to_signed(public.images), [row["title"] for row in public.rows]
    numbers = torch.tensor([titles.index(title) for title in titles])
    start, losses = time.perf_counter(), []
    for step in range(steps):
        set_rate(optimizer, 1e-3, step, step / steps)
        rows = torch.randperm(len(images), generator=generator)[:128]
        pictures = jitter(images[rows], generator)
        if random.random() < 0.3:
            pictures = recolour(pictures, generator)
        lines = [reword(public.rows[i], random) for i in rows.tolist()]
        ids = tokens(tokenizer, lines, length=CUT)
        same = numbers[rows][:, None] == numbers[rows]
        vectors = picture_vectors(model, pictures), text_vectors(model, ids)
        loss = contrast(*vectors, model.logit_scale, same)
        losses.append(loss.item())
        if step % 4 == 0 and glosses:
            loss = loss + 0.5 * gloss_loss(model, tokenizer, random.sample(glosses, 64))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 99:
            print(f"clip {step + 1} loss {sum(losses[-100:]) / 100:.3f}", flush=True)
    return model.eval(), {
        "steps": len(losses),
        "batch": 128,
        "seed": seed,
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "loss": round(sum(losses[-100:]) / len(losses[-100:]), 4),
        "parameters": sum(p.numel() for p in model.parameters()),
    } | shape


def set_rate(
    optimizer: torch.optim.Optimizer, peak: float, step: int, progress: float, warm: int = 100
) -> None:
    """Linear warm-up, then half a cosine down to a hundredth of the peak."""
    rate = peak * min(1, (step + 1) / warm) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def retrieval(pictures: Tensor, texts: Tensor, choices: int = 32, rounds: int = 50) -> float:
    """Share of pictures whose own caption is the nearest among `choices` drawn captions."""
    generator, hits, total = torch.Generator().manual_seed(0), 0, 0
    for _ in range(rounds):
        rows = torch.randperm(len(texts), generator=generator)[:choices]
        best = (pictures[rows] @ texts[rows].T).argmax(dim=1)
        hits += int((best == torch.arange(len(rows))).sum())
        total += len(rows)
    return hits / total
