"""Large sets are asked in shards, and no bit of what comes out depends on that."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.executors.executor import Executor
from bench.executors.executor import run as run_stages
from bench.executors.work import describe
from bench.models.evaluations import ROWS
from bench.naming import label
from bench.pipeline import Graph, cell_stage
from bench.plan import missing
from bench.request import Request
from bench.shards import SHARD
from bench.store import Store
from bench.training.recipe import RECIPES

SIZES = {400: [146, 3], 800: [292, 5]}
"""By number of scenes: the pairs that attacks ask about, and their shards of 64."""
PAIRS, SHARDS = SIZES[400]


class Quiet:
    def started(self, together): ...
    def finished(self, stage, seconds): ...
    def failed(self, stage, error):
        raise AssertionError(f"{label(stage)}: {error}")

    def awaited(self, stage): ...

    def freed(self, stage): ...

    def tick(self): ...


def cells(tiny_base, *attacks, n=400, **more):
    """Of a base that one epoch's references are held against."""
    recipe = RECIPES["quick"].changed(epochs=1, keep=()).model_dump(mode="json")
    asked = Request(["shuffle"], attacks, data=f"scenes:n={n}", base=str(tiny_base), recipe="quick",
                    at=[0], **more)  # fmt: skip
    return [cell.model_copy(update={"recipe": recipe}) for cell in asked.cells()]


def scored(of, store, shard):
    """The scores stages of these cells, computed."""
    ends = [cell_stage(cell, shard).inputs["scores"] for cell in of]
    assert run_stages(missing(store, ends, print), store, Executor(workers=1), Quiet()) == {}
    return ends


def features_of(scores):
    return [scores.inputs[role] for role in ("target", "shadow")]


def compare(store, whole, parts):
    """Files and results of features and scores, stage by stage."""
    for one, other in zip(whole, parts, strict=True):
        for ours, theirs in zip(
            [one, *features_of(one)], [other, *features_of(other)], strict=True
        ):
            records = [store.record(stage) for stage in (ours, theirs)]
            assert records[0]["files"] == records[1]["files"]
            assert records[0]["result"] == records[1]["result"]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize("n", [400, pytest.param(800, marks=pytest.mark.slow)])
def test_features_in_shards_are_the_bits_of_one_stage(tiny_base, store, n):
    """Asked by losses, by batches and with noise on texts; with references whole and in shards.

    Of 800 scenes the halves, too, that the shadow's references are asked about are in shards.
    """
    attacks = ("clid_th", "pia", "clid_th[reduction=noise]", "ref_align")
    of = cells(tiny_base, *attacks, n=n, canaries=6)
    whole, parts = scored(of, store, SHARD), scored(of, store, ROWS)
    pairs, shards = SIZES[n]
    for one in whole:
        assert not any(stage.joins for stage in one.walk())
    for one in parts:
        target, shadow = features_of(one)
        assert [sum(role.startswith("shard_") for role in stage.inputs)
                for stage in (target, shadow)] == [shards, shards]  # fmt: skip
    kept = [s for s in parts[3].walk() if s.kind == "reference"]
    # Of the target's pairs, and of two halves of the shadow's.
    assert len(kept) == shards + 2 * (3 if n == 800 else 1)
    compare(store, whole, parts)
    made = [store.record(features_of(ends[0])[0])["made"]["evaluations"] for ends in (whole, parts)]
    assert made[0] == made[1] > 0
    # The references were asked once, however many shards read them.
    assert store.record(features_of(parts[3])[1])["result"] == {
        "pairs": pairs, "queries": 3 * pairs, "reference_queries": 3 * pairs,
    }  # fmt: skip


def test_captions_that_depend_on_the_whole_set_are_the_same_in_shards(tiny_base, store):
    of = cells(tiny_base, "loss", view="defended", replays=2)
    compare(store, scored(of, store, SHARD), scored(of, store, ROWS))


def test_what_was_found_of_a_shard_is_not_asked_again(tiny_base, store):
    (cell,) = cells(tiny_base, "loss")
    features = cell_stage(cell, ROWS).inputs["scores"].inputs["target"]
    shards = [stage for role, stage in features.inputs.items() if role.startswith("shard_")]
    assert (
        run_stages(
            [*features.inputs["split"].walk(), *shards[:2]], store, Executor(workers=1), Quiet()
        )
        == {}
    )
    assert len(shards) == SHARDS
    left = missing(store, [features], print)
    assert [stage.key for stage in left] == [stage.key for stage in [*shards[2:], features]]
    assert run_stages(left, store, Executor(workers=1), Quiet()) == {}
    with np.load(store.folder("features", features.key) / "features.npz") as stored:
        assert stored["features"].shape == (1, PAIRS, 1)


def test_shards_that_are_not_the_pairs_of_the_part_are_refused(tiny_base, store):
    (cell,) = cells(tiny_base, "loss")
    (scores,) = scored([cell], store, ROWS)
    features = scores.inputs["target"]
    lost = {role: stage for role, stage in features.inputs.items() if role != "shard_2"}
    order = describe(features) | {"key": "f" * 64}
    order["inputs"] = {role: (stage.kind, stage.key) for role, stage in lost.items()}
    from bench.errors import BenchError
    from bench.executors.work import attempt

    with pytest.raises(BenchError, match="the 2 shards are not the pairs of target"):
        attempt(store.root, order)


def test_a_split_smaller_than_expected_leaves_shards_empty(tiny_base, store):
    """As where many pairs share a caption: how many a split holds is known when it is made."""
    (cell,) = cells(tiny_base, "ref_loss[reference=base]")
    more = cell.model_copy(update={"asked": PAIRS + 150})
    whole, parts = scored([cell], store, SHARD), scored([more], store, ROWS)
    assert len(features_of(parts[0])[0].inputs) == 1 + 5 + 5
    compare(store, whole, parts)


def test_many_samples_are_made_in_shards(tiny_base):
    (cell,) = cells(tiny_base, "loss")
    utility = cell_stage(cell, 16).inputs["utility"]
    bounds = [
        utility.inputs[f"samples_{k}"].params["shard"] for k in range(len(utility.inputs) - 2)
    ]
    assert cell.sampling.n == 51
    assert bounds == [(0, 16), (16, 32), (32, 48), (48, None)]
    assert "samples" in cell_stage(cell, SHARD).inputs["utility"].inputs


def test_small_sets_have_no_shards_and_the_size_is_in_no_key():
    """Two shards' worth is asked as a whole; `tiles` and `scenes` with canaries are less."""
    from cells import cell

    graph = Graph(cell(asked=2 * SHARD - 64, canaries=64), SHARD)
    assert graph.shards("target") == graph.shards("shadow") == []
    assert cell_stage(cell(asked=2 * SHARD)).key == cell_stage(cell()).key
    graph = Graph(cell(asked=2 * SHARD - 63, canaries=64), SHARD)
    assert graph.shards("target") == [(0, 1024), (1024, 2048), (2048, None)]
    assert graph.shards("shadow") == []
    assert SHARD % ROWS == 0


def test_shards_are_told_by_their_pairs():
    from cells import cell

    large = cell_stage(cell(asked=5000)).inputs["features"]
    names = [label(stage) for role, stage in large.inputs.items() if role.startswith("shard_")]
    assert names[0] == "loss on target, pairs 1 to 1024 (seed 0)"
    assert names[-1] == "loss on target, pairs 4097 on (seed 0)"
    assert label(large) == "loss on target (seed 0)"
    shards = [s for role, s in large.inputs.items() if role.startswith("shard_")]
    assert len({stage.shared_by for stage in [*shards, large]}) == 6
    assert json.loads(json.dumps(describe(shards[0])))["spec"]["params"]["shard"] == [0, 1024]


def test_another_precision_is_asked_apart(tiny_base):
    usual, lower = (
        cells(tiny_base, "loss", precision=precision)[0] for precision in ("fp32", "bf16")
    )
    ours, theirs = (cell_stage(cell).inputs["features"] for cell in (usual, lower))
    assert ours.shared_by != theirs.shared_by
    assert theirs.params["precision"] == "bf16"
    assert "precision" not in ours.params
    ends = [cell_stage(cell).inputs for cell in (usual, lower)]
    assert ends[0]["utility"].key == ends[1]["utility"].key
