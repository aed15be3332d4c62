"""How often the gates fail splits that are sound, and whether they fail two that are not.

200 random splits of `tiles`, seeds 100-299, judged as the stages `blind` and `duplicates` judge
them; beside them scores that know nothing, for the label permutation and the base control. Then a
split by subject, one by a milder tilt, and one with near-duplicates planted across.

    OMP_NUM_THREADS=1 python tools/simulate_gates.py [--features effnet.npy] [--splits 200]

About 9 minutes on one core, and 2 to 4 for the picture features, kept in the file if one is named.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.data import tiles
from bench.data.pairs import Pairs
from bench.data.splits import make_split
from bench.rng import generator
from bench.stats.intervals import auc_interval
from bench.trust.blind import blind_gates
from bench.trust.clues import caption_clues, picture_clues, picture_statistics
from bench.trust.control import control_gate
from bench.trust.duplicates import duplicate_gate
from bench.trust.gate import Gate
from bench.trust.permutation import permutation_gate
from bench.utility.features import effnet

FIRST = 100
CONTROLS = 40
LOOKS = ("auc_p", "tpr_p")


class Pool:
    """All pairs of `tiles`, each picture described once."""

    def __init__(self, features: Path | None) -> None:
        self.pairs, self.pixels = tiles.pairs(), tiles.pixels()
        self.row = {id_: i for i, id_ in enumerate(self.pairs.ids)}
        self.statistics = [
            picture_statistics(pair.image, square)
            for pair, square in zip(self.pairs, self.pixels, strict=True)
        ]
        if features and features.exists():
            self.features = np.load(features, allow_pickle=False)
        else:
            self.features = effnet(self.pixels)
            if features:
                np.save(features, self.features)

    def blind(self, members: Sequence[str], holdouts: Sequence[str]) -> list[Gate]:
        """The two blind gates."""
        pairs = self.pairs.select(sorted([*members, *holdouts]))
        rows = [self.row[id_] for id_ in pairs.ids]
        clues = {
            "captions": caption_clues(pairs.originals),
            "pictures": picture_clues([self.statistics[i] for i in rows], self.features[rows]),
        }
        return blind_gates(pairs, members, clues)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pool = Pool(asked.features)
    random_splits(pool, asked.splits)
    boards(asked.splits)
    shifted(pool)
    planted(pool)


def random_splits(pool: Pool, splits: int) -> None:
    """Failure rates of the gates of a split, and what the blind AUC looks like under chance."""
    failed: Counter[str] = Counter()
    found: dict[str, list[Mapping[str, Any]]] = {}
    for seed in range(FIRST, FIRST + splits):
        split = make_split(pool.pairs, tiles.identity(), seed)
        gates = [
            *pool.blind(split.members, split.holdouts),
            duplicate_gate(pool.pairs, vars(split)),
            permutation_gate(
                generator("noise", seed).normal(size=1000), np.arange(1000) < 500, seed
            ),
        ]
        failed.update(gate.name for gate in gates if not gate.passed)
        failed["any"] += any(not gate.passed for gate in gates)
        for gate in gates:
            found.setdefault(gate.name, []).append(gate.figures)
    for name in [*found, "any"]:
        print(f"{name}: {failed[name]} of {splits} random splits failed")
    for name, figures in found.items():
        if not name.startswith("blind"):
            continue
        areas = np.array([one["auc"] for one in figures])
        column = {k: np.mean([one[k] for one in figures]) for k in ("auc_others_sd", "seen_from")}
        small = {look: np.mean([one[look] <= 0.05 for one in figures]) for look in LOOKS}
        print(
            f"  {name}: AUC {areas.mean():.4f}, sd {areas.std(ddof=1):.4f} (of the labellings "
            f"{column['auc_others_sd']:.4f}, of independent scores .0183), range "
            f"{areas.min():.3f} to {areas.max():.3f}; seen from {column['seen_from']:.3f}; "
            f"p <= .05 in {small['auc_p']:.3f} (AUC) and {small['tpr_p']:.3f} (TPR)"
        )


def boards(repeats: int) -> None:
    """Clean boards of 40 controls with three seeds each: how many have one that fails."""
    greyed = 0
    for board in range(repeats):
        rng = generator("board", board)
        controls = [
            control_gate([auc_interval(*rng.normal(size=(2, 500))) for _ in range(3)])
            for _ in range(CONTROLS)
        ]
        greyed += any(not gate.passed for gate in controls)
    print(f"base control: {greyed} of {repeats} clean boards of {CONTROLS} controls had one fail")


def shifted(pool: Pool) -> None:
    """Monsters against furniture and terrain; and members tilted towards monsters."""
    kind = {line["id"]: line["type"] for line in tiles.records()}
    order = [pool.pairs.ids[i] for i in generator("order").permutation(len(pool.pairs))]
    monsters = [id_ for id_ in order if kind[id_] == "MONSTER"]
    places = [id_ for id_ in order if kind[id_] in ("furniture", "terrain")]
    _tell("monsters against furniture and terrain", pool.blind(monsters, places[: len(monsters)]))
    others = [id_ for id_ in order if kind[id_] != "MONSTER"]
    for more in (0.3, 0.5):
        few, many = round(500 * 0.1), round(500 * more)
        members, holdouts = monsters[:many] + others[: 500 - many], monsters[many : many + few]
        holdouts += others[500 - many : 1000 - many - few]
        gates = pool.blind(members, holdouts)
        _tell(f"monsters {100 * more:.0f} % of members, 10 % of hold-outs", gates)


def planted(pool: Pool) -> None:
    """Ten hold-outs of a sound split are given a member's picture with a little noise."""
    split = make_split(pool.pairs, tiles.identity(), FIRST)
    twins = dict(zip(split.holdouts[:10], split.members[:10], strict=True))
    noise = generator("twins").normal(0, 2, (32, 32, 3))

    def opened(id_: str) -> Image.Image:
        if id_ not in twins:
            return pool.pairs.image(id_)
        pixels = np.asarray(pool.pairs.image(twins[id_])) + noise
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    pairs: Pairs = replace(pool.pairs, open_image=opened)
    _tell("ten near-duplicates planted across", [duplicate_gate(pairs, vars(split))])


def _tell(what: str, gates: Sequence[Gate]) -> None:
    for gate in gates:
        shown = ("auc", "auc_others_highest", "tpr", "pictures", "captions", "of_target")
        figures = ", ".join(f"{k} {gate.figures[k]:.3g}" for k in shown if gate.figures.get(k))
        print(f"{what}: {gate.name} {'passed' if gate.passed else 'failed'} ({figures})")


if __name__ == "__main__":
    main()
