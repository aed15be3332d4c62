"""What a page of a board says before its tables, so that it can be read without the docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.boards import attacks
from bench.boards.pictures import sampled
from bench.boards.standing import SEEDS_OF_A_BOARD, Standing, sizes


def measured(standings: Sequence[Standing]) -> list[str]:
    """What all models of the board have in common."""
    abouts, pairs = [one.entry.about for one in standings], sizes(standings[0].entry)
    target = abouts[0].target
    members = target.canaries // 2
    devices = dict.fromkeys(seed.made.device or "unknown" for one in abouts for seed in one.seeds)
    versions = dict.fromkeys(one.provenance.bench for one in abouts)
    canaries = (
        f" Every target was also trained on {members} mislabelled pairs (canaries); {members} "
        "others were not trained on."
        if members
        else ""
    )
    trainings = f"{len(pairs)} trainings (seeds)" if len(pairs) > 1 else "1 training (seed)"
    few = min(len(one.entry.seeds) for one in standings) < SEEDS_OF_A_BOARD
    return [
        f"Measured on {trainings} of each model, each with {pairs[0][0]} "
        f"members and {pairs[0][1]} hold-outs of its own split, by version "
        f"{', '.join(versions)} of this suite, trained on {', '.join(devices)}.{canaries} "
        f"Recipe: {_recipe(target.recipe)}. Percentages with 95 % intervals.",
        "TPR@1%FPR: share of members found while at most 1 % of hold-outs are accused; chance is "
        f"{100 * standings[0].chance.value:.1f}. AUC: 50 is chance.",
        *_coarse(standings),
        *(["Provisional: some models have fewer than three seeds."] if few else []),
    ]


def _recipe(recipe: Mapping[str, Any]) -> str:
    told = [f"{recipe['epochs']} epochs"]
    if "batch" in recipe:
        told.append(f"batches of {recipe['batch'] * recipe['accumulate']}")
        told.append(f"learning rate {recipe['lr']:g} unless a defense changes it")
    return ", ".join(told)


def _coarse(standings: Sequence[Standing]) -> list[str]:
    """Where TPR@1%FPR hangs on a few hold-outs."""
    if not any(one.quality == "warned" for one in standings):
        return []
    n = min(one.holdouts for one in standings if one.quality == "warned")
    return [
        f"TPR@1%FPR is coarse here: {n // 100} of {n} hold-outs decide it (of {n // 2} where a "
        "half is measured); 2,500 are board quality, below 437 it is refused."
    ]


def of_defenses(standings: Sequence[Standing]) -> list[str]:
    """How the columns of the board of defenses are to be read."""
    band = max((one.chance for one in standings), key=lambda chance: chance.high)
    first = standings[0].entry
    utility, target = first.utility(first.seeds[0]), first.about.target
    made = sampled(target.sampling.model_dump(), target.resolution)
    return [
        "As many attackers as stand on a row here, knowing nothing, stay at or below "
        f"{100 * band.high:.1f} TPR@1%FPR in 39 of 40 rows; such figures are shown as `≤ chance`.",
        f"KID and FD64: {utility['n']} samples ({made}) on EfficientNet-Lite0 features, no FID; "
        f"real pictures against real ones: KID {utility['kid_effnet_floor']['value']:.4f}, FD64 "
        f"{utility['fd_effnet64_floor']:.2f}. Lower is better.",
        "A defense stands by the worst attack on it (column `worst attack`): chosen on one half of "
        "the pairs, measured on the other, both ways (two names where the halves choose "
        "differently), and chosen anew in every replicate of the interval (seeds, then pairs).",
        "`frontier gain`: points of TPR@1%FPR that undefended training, stopped earlier or at "
        "another learning rate, leaks more at the same KID. At 0 or below: stop earlier instead. "
        "Undefended models have 0 where they make the frontier and less where another of them is "
        "better. It orders the board: `rank` is one more than the number of models that are surely "
        "better (paired 99 % interval), so models that nothing separates share it, and of two the "
        "one that is surer can have the higher number. "
        "`AUC` and `AUC gain`: of the attack that is worst by AUC, chosen in the same way. 500 "
        "pairs tell it far better than TPR@1%FPR; it averages over pairs that are easy and hard to "
        "find, and orders nothing. `tier`: A is beaten by no other in both leak and KID.",
        "`ε ≥`: empirical lower bound on epsilon by that attack, 95 %: attack and threshold chosen "
        "on one half, tested on the other. No guarantee, and few pairs cannot show a large one.",
        "`canary TPR`: share of the mislabelled members, over all seeds, above every mislabelled "
        "hold-out, under the attack found worst on the other pairs; so few make no interval. "
        "`seed SD`: how far trainings differ.",
    ]


def of_attacks(standings: Sequence[Standing]) -> list[str]:
    """On which targets, and how the columns are to be read."""
    present = [one.label for one in attacks.measured(standings)]
    lacking = [label for label in attacks.TARGETS if label not in present]
    return [
        f"Mean over the same targets for every attack: {', '.join(present)}"
        + (f" (not measured: {', '.join(lacking)})" if lacking else "")
        + ". `rank`: one more than the number of attacks that are surely better (paired 99 % "
        "interval). `queries`: U-Net rows a pair on the target, and on the attacker's own "
        "reference. `power-query front`: no other finds more for as few.",
        f"`surely found on {present[0]}`: the least TPR@1%FPR that can be claimed of each of its "
        "trainings, whatever the scores are distributed like (97.5 % each).",
    ]
