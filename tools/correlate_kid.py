"""How far do the errors of two models' KIDs go together?

    python tools/correlate_kid.py

Reads what these left in the store:

    bench run --defense none --defense reph --defense del1 --defense del3 --defense shuffle \\
        --attack clid_th --seeds 0,1,2
    bench run --defense none --attack clid_th --seeds 0,1,2 --at 20,40,60
    bench run --defense dp_sgd --defense 'dp_lora+learning_rate[scale=10]' --attack clid_th \\
        --seeds 0,1,2 --canaries 64

Prompts, start noise and reference pictures are the same for all models and seeds. So both are drawn
once for all (bootstrap over pictures). The board takes
the correlation for less than what comes out here, so that gains look less sure than they are.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.image.kid import poly_kernel

from bench.boards.standing import SHARED_COST
from bench.pipeline import cell_stage
from bench.request import Cell, Request
from bench.store import Store, default_root
from bench.utility.distances import weighted_mmd

SEEDS = (0, 1, 2)
REPLICATES = 2000
ASKED = (
    Request(defenses=["none", "reph", "del1", "del3", "shuffle"], attacks=["clid_th"], seeds=SEEDS),
    Request(defenses=["none"], attacks=["clid_th"], seeds=SEEDS, at=(20, 40, 60)),
    Request(defenses=["dp_sgd", "dp_lora+learning_rate[scale=10]"], attacks=["clid_th"],
            seeds=SEEDS, canaries=64),
)  # fmt: skip


def errors(store: Store, cell: Cell, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replicates (B,) of one training's KID; `drawn` (2, B, n) are counts of pictures."""
    [utility] = [stage for stage in cell_stage(cell).walk() if stage.kind == "utility"]
    with np.load(store.folder("utility", utility.key) / "utility.npz") as stored:
        fake = torch.from_numpy(stored["features"].astype(np.float64))
    [real] = [stage for role, stage in utility.inputs.items() if role == "real"]
    with np.load(store.folder("real", real.key) / "real.npz") as stored:
        reference = torch.from_numpy(stored["reference"][: len(fake)].astype(np.float64))
    pairs = ((reference, reference), (fake, fake), (reference, fake))
    return weighted_mmd([poly_kernel(x, y).numpy() for x, y in pairs], *drawn)


def main() -> None:
    store, rng = Store(default_root()), np.random.default_rng(0)
    counts = rng.multinomial(350, np.full(350, 1 / 350), (2, REPLICATES)).astype(float)
    models: dict[str, list[NDArray[np.float64]]] = {}
    for asked in ASKED:
        for cell in asked.cells():
            name = f"{cell.defense.label} {cell.at or ''}".strip()
            models.setdefault(name, []).append(errors(store, cell, counts))
    means = {name: np.mean(found, axis=0) for name, found in models.items()}
    for name, draws in means.items():
        print(f"{name}: SD of the mean over {len(models[name])} seeds {draws.std():.4f}")
    found = np.corrcoef(np.stack(list(means.values())))
    print("\n".join(" ".join(f"{x:.2f}" for x in line) for line in found))
    apart = found[np.triu_indices(len(found), 1)]
    print(f"correlations {apart.min():.2f} to {apart.max():.2f}; a board takes {SHARED_COST}")


if __name__ == "__main__":
    main()
