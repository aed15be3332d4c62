"""Does an attack with a captioner's words find members where those words are near the true ones?

    python tools/likeness_of_captions.py

Reads what `bench reproduce table6 --seeds 0` left in the store, for the over-trained model.
Pairs are parted by ROUGE-L of the captioner's words against the pair's own; the bounds
were chosen by hand, after a look at the figures for finer ones.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from caption_scores import rouge_l
from numpy.typing import NDArray

from bench.data.sources import open_source
from bench.reproduction.experiments import EXPERIMENTS
from bench.reproduction.paper import ATTACKS
from bench.reproduction.repeat import MINI, repeat
from bench.request import Request
from bench.specs import Stage
from bench.stats import auc_interval
from bench.store import Store, default_root

BOUNDS = (0.0, 0.2, 0.5, 1.01)
ASKED = ("loss", "clid_th[reduction=importance]")
"""The first of the settings (over-training) comes first among the ends, in the attacks' order."""


def arrays(store: Store, stage: Stage, name: str) -> dict[str, NDArray[Any]]:
    with np.load(store.folder(stage.kind, stage.key) / f"{name}.npz", allow_pickle=False) as stored:
        return dict(stored)


def figure(scores: NDArray[np.float64], is_member: NDArray[np.bool_]) -> str:
    found = auc_interval(scores[is_member], scores[~is_member])
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def main() -> None:
    store = Store(default_root())
    asked = Request(defenses=["none"], attacks=["loss"], seeds=(0,))
    over = repeat(EXPERIMENTS["table6"], asked, MINI, print).ends[: len(ATTACKS)]
    ends = {name: over[ATTACKS.index(name)] for name in ASKED}
    [words] = [s for s in over[0].walk() if s.kind == "captions"]
    said = store.record(words)["result"]["captions"]
    pairs = open_source("tiles").pairs()
    own = dict(zip(pairs.ids, pairs.captions, strict=True))
    scored = {name: arrays(store, end.inputs["scores"], "scores") for name, end in ends.items()}
    ids = [str(id_) for id_ in scored["loss"]["ids"]]
    near = rouge_l([said[id_] for id_ in ids], [own[id_] for id_ in ids])

    print("| ROUGE-L | pairs | members |", " | ".join(f"{name}: AUC" for name in ASKED), "|")
    print("| --- | --- | --- |", " | ".join(["---"] * len(ASKED)), "|")
    for low, high in pairwise(BOUNDS):
        here = (near >= low) & (near < high)
        told = [figure(z["scores"][here], z["is_member"][here]) for z in scored.values()]
        members = int(scored["loss"]["is_member"][here].sum())
        print(f"| {low} to {min(high, 1):g} | {here.sum()} | {members} |", " | ".join(told), "|")

    asked_of = arrays(store, ends[ASKED[1]].inputs["features"], "features")
    member = dict(zip(ids, scored["loss"]["is_member"], strict=True))
    truth = np.array([member[str(id_)] for id_ in asked_of["ids"]])
    features = asked_of["features"][0]
    print("loss with the empty caption: AUC", figure(features[:, 0] - features[:, -1], truth))


if __name__ == "__main__":
    main()
