"""Cards of the data sets of Zhai et al. 2024 (section 4.1): what the paper took from each, and how.

Nothing is downloaded here. `members` and `holdouts` are the paper's; `sizes` are what a split here
deals, which is the paper's target and beside it what the paper takes from elsewhere or does
without: a shadow of the same size, reference pictures, auxiliary pairs. Where a set is too small
for a shadow of its own, the shadow is dealt from the target's pairs (`--shadow resplit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from bench.data.sizes import SplitSizes
from bench.errors import unknown

GRADIENT_PAIRS = 4
"""Pairs an optimiser step in the paper: batches of one, accumulated four times."""


class Count(NamedTuple):
    """How much a distributed file or split holds."""

    pictures: int
    captions: int


@dataclass(frozen=True)
class Card:
    """What is known of one data set; what is not publicly known is left out and said to be."""

    name: str
    about: str
    members: int
    holdouts: int
    """The paper's target: pairs trained on, and pairs from the same set that were not."""
    sizes: SplitSizes | None
    """What a split here deals; None where membership is not ours to deal."""
    steps: Mapping[str, int]
    """Optimiser steps of the paper by kind of training, for `members` pairs."""
    counts: Mapping[str, Count]
    """By the name of an annotation file or split, without its ending."""
    md5: Mapping[str, str]
    """Of the files as they are distributed; none where it is not publicly known."""
    licence: str
    where: str
    example: str
    resolution: int = 512
    notes: tuple[str, ...] = ()

    @property
    def needs_resplit(self) -> bool:
        """Whether no pairs are left for a shadow of its own."""
        return self.sizes is not None and not self.sizes.shadow_members

    def described(self) -> dict[str, str]:
        """The card in words, a line each, for `bench show`."""
        sizes = asdict(self.sizes) if self.sizes else {}
        split = ", ".join(f"{part} {size:,}" for part, size in sizes.items())
        steps = [f"{kind} {number:,}" for kind, number in self.steps.items()]
        counts = [
            f"{name}: {count.pictures:,} pictures, {count.captions:,} captions"
            for name, count in self.counts.items()
        ]
        sums = [f"{name}: {md5}" for name, md5 in self.md5.items()]
        lines = {
            "about": self.about,
            "paper": f"{self.members:,} members, {self.holdouts:,} hold-outs",
            "split": split or "not dealt here: the set itself says who is a member",
            "steps": ", ".join(steps) or "none: the model is attacked as released",
            "resolution": str(self.resolution),
            "expected": "; ".join(counts) or "not publicly known",
            "md5": "; ".join(sums) or "not publicly known",
            "licence": self.licence,
            "where": self.where,
            "use": self.example,
        }
        return lines | {f"note {i}": note for i, note in enumerate(self.notes, start=1)}


_FLICKR = Card(
    name="flickr",
    about="Flickr30k (Young et al. 2014), five human captions a picture; real-world training",
    members=10_000,
    holdouts=10_000,
    sizes=SplitSizes(10_000, 10_000, 0, 0, 5_000, 5_000),
    steps=MappingProxyType({"realworld": 200_000}),
    counts=MappingProxyType({"results_20130124": Count(31_783, 158_915)}),
    md5=MappingProxyType({}),
    licence="for research and teaching only; pictures belong to their Flickr users",
    where="https://shannon.cs.illinois.edu/DenotationGraph/ (by a form)",
    example="--data folder:PATH,card=flickr --shadow resplit",
    notes=(
        "31,783 pictures leave no second 10,000 + 10,000 for a shadow: use --shadow resplit",
        "flickr-overtraining is the paper's other setting, 2,500 + 2,500",
        "the token file becomes a metadata.jsonl with the lines in docs/data.md",
    ),
)

CARDS: Mapping[str, Card] = MappingProxyType(
    {
        card.name: card
        for card in (
            Card(
                name="pokemon",
                about="Pokemon pictures with BLIP captions (lambdalabs), one caption each",
                members=416,
                holdouts=417,
                sizes=SplitSizes(300, 300, 0, 0, 100, 100),
                steps=MappingProxyType({"overtraining": 15_000, "realworld": 7_500}),
                counts=MappingProxyType({"train": Count(833, 833)}),
                md5=MappingProxyType({}),
                licence="CC-BY-NC-SA-4.0 (the captions; the pictures are Nintendo's)",
                where="https://huggingface.co/datasets/lambdalabs/pokemon-blip-captions "
                "(taken down in 2024; a copy of yours goes by parquet: or folder:)",
                example="--data parquet:PATH,card=pokemon --shadow resplit",
                notes=(
                    "the paper's 416 + 417 are all 833 pictures, with none left to measure utility "
                    "on; here 100 + 100 are kept back for that, and pairs that share a caption or "
                    "a picture need room to stay together",
                ),
            ),
            Card(
                name="coco",
                about="MS-COCO 2017 (Lin et al. 2014), about five human captions a picture",
                members=2_500,
                holdouts=2_500,
                sizes=SplitSizes(2_500, 2_500, 2_500, 2_500, 10_000, 10_000),
                steps=MappingProxyType({"overtraining": 150_000, "realworld": 50_000}),
                counts=MappingProxyType(
                    {
                        "captions_train2017": Count(118_287, 591_753),
                        "captions_val2017": Count(5_000, 25_014),
                    }
                ),
                md5=MappingProxyType(
                    {
                        "train2017.zip": "cced6f7f71b7629ddf16f17bbcfab6b2",
                        "val2017.zip": "442b8da7639aecaf257c1dceb8ba8c80",
                        "annotations_trainval2017.zip": "f4bbac642086de4f52a3fdda2de5fa2c",
                    }
                ),
                licence="annotations CC-BY-4.0; pictures under the Flickr terms of their owners",
                where="https://cocodataset.org/#download",
                example="--data coco:annotations/captions_train2017.json",
                notes=(
                    "the paper's target is val2017, whose 5,000 pictures leave none for a shadow "
                    "or for its 10,000 reference pictures; here all parts come from train2017",
                ),
            ),
            _FLICKR,
            replace(
                _FLICKR,
                name="flickr-overtraining",
                about="Flickr30k (Young et al. 2014), five human captions a picture; over-training",
                members=2_500,
                holdouts=2_500,
                sizes=SplitSizes(2_500, 2_500, 2_500, 2_500, 5_000, 5_000),
                steps=MappingProxyType({"overtraining": 150_000}),
                example="--data folder:PATH,card=flickr-overtraining",
                notes=("the token file becomes a metadata.jsonl with the lines in docs/data.md",),
            ),
            Card(
                name="laion-mi",
                about="LAION-mi (Dubinski et al. 2024): pre-training pictures and others like them",
                members=2_500,
                holdouts=2_500,
                sizes=None,
                steps=MappingProxyType({}),
                counts=MappingProxyType(
                    {"members": Count(13_396, 13_396), "nonmembers": Count(26_874, 26_874)}
                ),
                md5=MappingProxyType({}),
                licence="see its page on the hub; pictures belong to their owners",
                where="https://huggingface.co/datasets/antoniaaa/laion_mi (links only; many rot)",
                example="bench audit --target stable-diffusion-v1-5/stable-diffusion-v1-5 "
                "--members folder:PATH --holdouts folder:PATH",
                notes=(
                    "the set says which pictures Stable Diffusion 1.5 saw: nothing is dealt and "
                    "nothing is fine-tuned",
                    "members and hold-outs come from different collections: the blind gates tell "
                    "how far a difference is the collections' own",
                    "counts are those of the paper of the set, before links rotted; hold-outs with "
                    "non-English signs in the caption are removed (Zhai et al. 2024)",
                ),
            ),
        )
    }
)


def named_card(name: str) -> Card:
    """The card of that name."""
    if name not in CARDS:
        raise unknown("data card", name, CARDS, "(`bench list data` shows them)")
    return CARDS[name]
