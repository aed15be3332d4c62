"""Which captioner describes unseen pictures best? The figures of docs/pseudo-captions.md.

    python tools/compare_captioners.py --part auxiliary --judge JUDGE
    python tools/compare_captioners.py --part reference --judge JUDGE --trained captioner

`auxiliary` describes each auxiliary tile by the others, its own cluster left out: from that the way
to retrieve was chosen. `reference` describes the reference tiles by the auxiliary ones. JUDGE must
know pictures on white, as tiles are: `clip2` of build_base.py at commit 6ca5498 was one.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from caption_scores import cider, rouge_l
from mini_clip import picture_vectors, text_vectors, tokens
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from train_captioner import pictures, tiles_part
from transformers import BlipForConditionalGeneration, CLIPModel, CLIPTokenizer

from bench.data.pairs import Pairs
from bench.data.tiles import records
from bench.models.base import embedded_folder
from bench.models.captioner import EMBEDDED, describe

CHOICES, DRAWS, RESAMPLES = 32, 20, 2000
MEASURES = ("ROUGE-L", "CIDEr", "text cosine", "judge: rank of 32", "judge: first of 32")
Floats = NDArray[np.float64]


@torch.no_grad()
def similarities(asked: Pairs, pool: Pairs) -> dict[str, Tensor]:
    """Ways to retrieve with the mini CLIP, and by bare pixels; shape (asked, pool) each."""
    clip = CLIPModel.from_pretrained(embedded_folder() / "clip", dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    left, right = pictures(asked), pictures(pool)

    def patches(images: Tensor) -> Tensor:
        states = clip.vision_model(pixel_values=images).last_hidden_state
        return F.normalize(states[:, 1:].flatten(1), dim=-1)

    views = picture_vectors(clip, left)
    return {
        "CLIP, caption to picture": views
        @ text_vectors(clip, tokens(tokenizer, list(pool.captions))).T,
        "CLIP, nearest pooled": views @ picture_vectors(clip, right).T,
        "CLIP, nearest patches": patches(left) @ patches(right).T,
        "pixels, nearest": -torch.cdist(left.flatten(1), right.flatten(1)),
    }


@torch.no_grad()
def written(folder: Path, asked: Pairs) -> dict[str, list[str]]:
    """Captions of the trained decoder, with room for the longest; greedy and by beams."""
    model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    images, found = pictures(asked), {}
    for name, beams in (("greedy", 1), ("3 beams", 3)):
        out = [
            model.generate(pixel_values=part, max_new_tokens=50, num_beams=beams, do_sample=False)
            for part in images.split(50)
        ]
        texts = [tokenizer.batch_decode(ids, skip_special_tokens=True) for ids in out]
        found[f"trained decoder, {name}"] = [text for part in texts for text in part]
    return found


@torch.no_grad()
def judged(judge: CLIPModel, said: list[str], images: Tensor) -> tuple[Floats, Floats]:
    """Rank of the described picture among 32, and how often it is first, over all draws."""
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    fits = text_vectors(judge, tokens(tokenizer, said)) @ picture_vectors(judge, images).T
    others = len(images) - 1
    better = (fits > fits.diag()[:, None]).sum(dim=1).double().numpy()
    first = np.ones(len(better))
    for k in range(CHOICES - 1):
        first *= np.clip((others - better - k) / (others - k), 0, 1)
    return 1 + (CHOICES - 1) * better / others, first


@torch.no_grad()
def alike(said: list[str], true: list[str]) -> Floats:
    """Cosine of the captions as the text tower of the base reads them."""
    clip = CLIPModel.from_pretrained(embedded_folder() / "clip", dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(embedded_folder() / "tokenizer")
    left, right = (text_vectors(clip, tokens(tokenizer, texts)) for texts in (said, true))
    return (left * right).sum(dim=1).double().numpy()


def measure(said: list[str], asked: Pairs, images: Tensor, judge: CLIPModel) -> Floats:
    """The figures of MEASURES for every picture, shape (5, n)."""
    true = asked.captions
    words = rouge_l(said, true), cider(said, true, true), alike(said, list(true))
    return np.stack([*words, *judged(judge, said, images)])


def same_type(said: list[str], asked: Pairs, pool: Pairs) -> Floats:
    """1 where the captioned thing and the asked one are of one type in the game, else 0.

    For captions of the pool alone, whose type is known.
    """
    kinds = {row["id"]: row["type"] for row in records()}
    of = {text: kinds[id_] for id_, text in zip(pool.ids, pool.captions, strict=True)}
    return np.array([of[a] == kinds[id_] for a, id_ in zip(said, asked.ids, strict=True)], float)


def resample(groups: list[list[int]]) -> list[NDArray[np.int64]]:
    """Bootstrap draws of whole clusters."""
    rng, rows = np.random.default_rng(0), [np.array(group) for group in groups]
    return [
        np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        for _ in range(RESAMPLES)
    ]


def interval(values: Floats, draws: list[NDArray[np.int64]]) -> str:
    """Mean with its 95 % percentile interval."""
    low, high = np.percentile([values[rows].mean() for rows in draws], [2.5, 97.5])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def candidates(part: str, trained: Path | None, asked: Pairs, same: Tensor) -> dict[str, Any]:
    """Captions by name."""
    pool = tiles_part("auxiliary")[0]
    found = {
        name: [pool.captions[i] for i in table.masked_fill(same, -torch.inf).argmax(dim=1)]
        for name, table in similarities(asked, pool).items()
    }
    if part == "reference":
        found["shipped: describe()"] = describe(
            [asked.image(id_) for id_ in asked.ids], EMBEDDED, pool
        )
    return found | (written(trained, asked) if trained else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=("auxiliary", "reference"), required=True)
    parser.add_argument("--judge", type=Path, required=True, help="CLIP of build_base.py --judge")
    parser.add_argument("--trained", type=Path, help="folder of train_captioner.py")
    args = parser.parse_args()
    torch.set_num_threads(1)
    judge = CLIPModel.from_pretrained(args.judge, dtype=torch.float32).eval()
    asked, groups = tiles_part(args.part)
    pool = tiles_part("auxiliary")[0]
    group_of = {id_: number for number, group in enumerate(groups) for id_ in group}
    same = torch.tensor(
        [[group_of[a] == group_of.get(b) for b in pool.ids] for a in asked.ids], dtype=torch.bool
    )
    images, rng = pictures(asked), np.random.default_rng(1)

    def score(said: list[str]) -> Floats:
        return measure(said, asked, images, judge)

    chance = [
        score([pool.captions[rng.choice(np.flatnonzero(~row))] for row in same.numpy()])
        for _ in range(DRAWS)
    ]
    found = candidates(args.part, args.trained, asked, same)
    scores = {"chance: a random one": np.mean(chance, axis=0)}
    scores |= {"true caption": score(list(asked.captions))}
    scores |= {name: score(said) for name, said in found.items()}
    place = {id_: row for row, id_ in enumerate(asked.ids)}
    draws = resample([[place[id_] for id_ in group] for group in groups])
    print(f"{args.part}: n = {len(asked)} in {len(groups)} clusters\n")
    print(f"| captions | different | same type | {' | '.join(MEASURES)} |")
    print("|---|---|---|---|---|---|---|---|")
    for name, values in scores.items():
        said = found.get(name, [])
        own = set(said) <= set(pool.captions) and said
        kind = interval(same_type(said, asked, pool), draws) if own else "-"
        cells = " | ".join(interval(row, draws) for row in values)
        print(f"| {name} | {len(set(said)) or '-'} | {kind} | {cells} |")
    random = [same_type([text] * len(asked), asked, pool).mean() for text in pool.captions]
    print(f"\nsame type by chance: {np.mean(random):.3f}\n\nless nearest patches, paired:")
    for name, values in scores.items():
        gap = values - scores["CLIP, nearest patches"]
        print(f"| {name} | - | - | {' | '.join(interval(row, draws) for row in gap)} |")


if __name__ == "__main__":
    main()
