"""Train a small BLIP-shaped captioner, to compare with retrieval (docs/pseudo-captions.md).

    python tools/train_captioner.py --public public.npz --out captioner --steps 2400 --hold-back 70
    python tools/train_captioner.py --public public.npz --out captioner --steps 1200

Learns from the public pairs and the auxiliary tiles, half a batch each; every other tile stays
unseen. The picture tower and the word vectors start from the mini CLIP of the base. With
--hold-back some clusters of the auxiliary tiles are kept out and described every 200 steps: from
that the length of the training without it is chosen.
"""

import argparse
import json
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from caption_scores import cider, rouge_l
from mini_clip import CUT as SHORT
from mini_clip import set_rate, tokens
from mini_data import Public, jitter, load_public, reword, to_signed
from torch import Tensor, nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
)

from bench.data.pairs import Pairs
from bench.data.sources import open_source
from bench.data.splits import clusters, make_split
from bench.models.base import embedded_folder
from bench.rng import generator

BATCH, RATE, KEPT = 24, 1e-3, 0.99  # BATCH of each kind
CUT = 56  # tokens of a tile's caption; nine in ten are shorter
SIZE, HALF = {"height": 32, "width": 32}, [0.5, 0.5, 0.5]


def make_blip(clip: CLIPModel, tokenizer: CLIPTokenizer) -> BlipForConditionalGeneration:
    """Picture tower of the mini CLIP and a decoder of 3 layers, both 128 wide."""
    sight = clip.config.vision_config
    shape = {"hidden_size": sight.hidden_size, "intermediate_size": sight.intermediate_size}
    shape |= {"num_attention_heads": sight.num_attention_heads, "hidden_act": "gelu"}
    vision = shape | {"num_hidden_layers": sight.num_hidden_layers, "image_size": sight.image_size}
    text = shape | {
        "num_hidden_layers": 3,
        "encoder_hidden_size": sight.hidden_size,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
        "hidden_dropout_prob": 0.2,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "sep_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
    }
    vision |= {"patch_size": sight.patch_size}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():
        copy_sight(clip.vision_model, model.vision_model)
        words = clip.text_model.embeddings.token_embedding.weight
        model.text_decoder.bert.embeddings.word_embeddings.weight.copy_(words)
    return model


def copy_sight(clip: nn.Module, blip: nn.Module) -> None:
    """CLIP's picture tower in BLIP's, whose lack of a first norm is made up for by a scale."""
    ours, theirs = blip.embeddings, clip.embeddings
    position = theirs.position_embedding.weight
    scale = clip.pre_layrnorm.weight / position.std(dim=1).mean()
    ours.patch_embedding.weight.copy_(theirs.patch_embedding.weight * scale[:, None, None, None])
    ours.patch_embedding.bias.zero_()
    ours.class_embedding.copy_((theirs.class_embedding * scale)[None, None])
    ours.position_embedding.copy_((position * scale + clip.pre_layrnorm.bias)[None])
    blip.post_layernorm.load_state_dict(clip.post_layernorm.state_dict())
    for to, of in zip(blip.encoder.layers, clip.encoder.layers, strict=True):
        three = [of.self_attn.q_proj, of.self_attn.k_proj, of.self_attn.v_proj]
        to.self_attn.qkv.weight.copy_(torch.cat([part.weight for part in three]))
        to.self_attn.qkv.bias.copy_(torch.cat([part.bias for part in three]))
        to.self_attn.projection.load_state_dict(of.self_attn.out_proj.state_dict())
        for name in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(to, name).load_state_dict(getattr(of, name).state_dict())


def tiles_part(part: str) -> tuple[Pairs, list[tuple[str, ...]]]:
    """`auxiliary` or `reference` of the embedded tiles, and its clusters."""
    source = open_source("tiles")
    pairs = source.pairs()
    ids = sorted(getattr(make_split(pairs, source.identity, 0), part))
    groups = [tuple(i for i in group if i in set(ids)) for group in clusters(pairs)]
    return pairs.select(ids), [group for group in groups if group]


def pictures(pairs: Pairs) -> Tensor:
    """Float in [-1, 1], shape (n, 3, 32, 32)."""
    stack = np.stack([np.asarray(pairs.image(id_)) for id_ in pairs.ids])
    return to_signed(torch.from_numpy(stack).permute(0, 3, 1, 2).contiguous())


def hold_back(count: int) -> tuple[Pairs, Pairs]:
    """Auxiliary tiles to train on, and at least `count` others in clusters of their own."""
    pairs, groups = tiles_part("auxiliary")
    order = generator("captioner", "hold back").permutation(len(groups))
    held: set[str] = set()
    for number in order:
        if len(held) < count:
            held.update(groups[number])
    return pairs.select([i for i in pairs.ids if i not in held]), pairs.select(sorted(held))


def loss_of(model: nn.Module, images: Tensor, ids: Tensor, tokenizer: CLIPTokenizer) -> Tensor:
    """Mean over tokens, the first end mark included, of the next token's surprise."""
    ends = (ids == tokenizer.eos_token_id).cumsum(dim=1)
    mask = (ends - (ids == tokenizer.eos_token_id).long() == 0).long()
    labels = ids.masked_fill(mask == 0, -100)
    return model(pixel_values=images, input_ids=ids, attention_mask=mask, labels=labels).loss


@torch.no_grad()
def say(model: Any, images: Tensor, tokenizer: CLIPTokenizer) -> list[str]:
    """Greedy captions."""
    out = model.generate(pixel_values=images, max_new_tokens=50, num_beams=1, do_sample=False)
    return tokenizer.batch_decode(out, skip_special_tokens=True)


def train(
    public: Public, tiles: Pairs, held: Pairs, steps: int, seed: int
) -> tuple[BlipForConditionalGeneration, list[dict[str, float]]]:
    """Averaged weights after `steps` batches at a steady rate, and figures every 200 steps."""
    torch.manual_seed(seed)
    random, draws = Random(seed), torch.Generator().manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    clip = CLIPModel.from_pretrained(embedded_folder() / "clip", dtype=torch.float32)
    model, mean = make_blip(clip, tokenizer), make_blip(clip, tokenizer).eval()
    mean.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05, fused=True)
    drawings, own, trace = to_signed(public.images), pictures(tiles), []
    start, losses = time.perf_counter(), []
    for step in range(1, steps + 1):
        set_rate(optimizer, RATE, step, 0.0)
        rows = torch.randint(len(drawings), (BATCH,), generator=draws)
        more = torch.randint(len(own), (BATCH,), generator=draws)
        lines = [reword(public.rows[i], random) for i in rows.tolist()]
        other = [tiles.captions[i] for i in more.tolist()]
        # Apart, so that short captions are not padded to the length of long ones.
        loss = sum(
            loss_of(model.train(), jitter(images, draws), ids, tokenizer) / 2
            for images, ids in (
                (drawings[rows], tokens(tokenizer, lines, length=SHORT)),
                (own[more], tokens(tokenizer, other, length=CUT)),
            )
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            for kept, now in zip(mean.parameters(), model.parameters(), strict=True):
                kept.lerp_(now, 1 - min(KEPT, step / (step + 10)))
        if step % 200 == 0:
            trace.append(look(mean, held, tokenizer) | {"step": step})
            trace[-1] |= {"loss": round(sum(losses[-200:]) / 200, 3)}
            trace[-1] |= {"minutes": round((time.perf_counter() - start) / 60, 1)}
            print(json.dumps(trace[-1]), flush=True)
    return mean, trace


@torch.no_grad()
def look(model: Any, held: Pairs, tokenizer: CLIPTokenizer) -> dict[str, float]:
    """How the held-back tiles are described."""
    if not len(held):
        return {}
    images, ids = pictures(held), tokens(tokenizer, list(held.captions))
    said = say(model, images, tokenizer)
    return {
        "held_loss": round(loss_of(model, images, ids, tokenizer).item(), 3),
        "rouge_l": round(float(rouge_l(said, held.captions).mean()), 4),
        "cider": round(float(cider(said, held.captions, held.captions).mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--public", type=Path, required=True, help="npz of public_pictures.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=1200, help="batches of 24 + 24")
    parser.add_argument("--hold-back", type=int, default=0, help="auxiliary tiles kept out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tiles, held = hold_back(args.hold_back)
    public = load_public(args.public).part(held_out=False)
    model, trace = train(public, tiles, held, args.steps, args.seed)
    model.half().save_pretrained(args.out)
    CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer").save_pretrained(args.out)
    # Bicubic or not is no question at 32 x 32: nothing is resized.
    BlipImageProcessorPil(size=SIZE, image_mean=HALF, image_std=HALF).save_pretrained(args.out)
    (args.out / "build.json").write_text(json.dumps(trace, indent=2) + "\n")


if __name__ == "__main__":
    main()
