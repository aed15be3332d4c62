"""The only stage where an attack meets a model: it learns no label and nothing unfit passes."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.models.base import load_base
from bench.models.target import ModelTarget
from bench.plugins import instantiate, resolve

USUAL = {"part": "target", "seed": 3, "at": None, "view": "original"}
PLUGIN = """
from dataclasses import dataclass
import numpy as np
from bench import Attack

@dataclass
class Odd(Attack):
    name = "odd"

    @property
    def queries(self):
        return {queries}

    def features(self, target, pairs):
        good = target.losses(pairs, [450])
        return {features}
"""


@pytest.fixture
def odd(tmp_path):
    def write(features, queries=1):
        path = tmp_path / "odd.py"
        path.write_text(PLUGIN.format(features=features, queries=queries))
        return str(path)

    return write


def stored(done):
    with np.load(done.folder / "features.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("attack", ["loss", "clid_th"])
@pytest.mark.parametrize(
    ("part", "names"),
    [("target", ("members", "holdouts")), ("shadow", ("shadow_members", "shadow_holdouts"))],
)
def test_features_are_the_attack_s_of_both_sides_in_one_order(
    run, split, parts, scene_pairs, tiny_base, attack, part, names
):
    done = run("features", {"split": split}, attack=attack, **USUAL | {"part": part})
    found = stored(done)
    ids = sorted(id_ for name in names for id_ in parts[name])
    assert found["ids"].tolist() == ids
    made = instantiate("attack", resolve("attack", attack))
    target = ModelTarget(load_base(tiny_base), seed=3)
    assert np.array_equal(found["features"], [made.features(target, scene_pairs.select(ids))])
    assert done.result == {
        "pairs": 16,
        "queries": 16 * made.queries,
    }


def test_labels_are_in_no_file(run, split):
    done = run("features", {"split": split}, attack="clid_th", **USUAL)
    assert zipfile.ZipFile(done.folder / "features.npz").namelist() == ["ids.npy", "features.npy"]


def test_features_do_not_know_who_is_a_member(run, split, write, parts):
    turned = parts | {"members": parts["holdouts"], "holdouts": parts["members"]}
    first = run("features", {"split": split}, attack="clid_th", **USUAL)
    other = run("features", {"split": write("turned", turned)}, attack="clid_th", **USUAL)
    assert (first.folder / "features.npz").read_bytes() == (
        other.folder / "features.npz"
    ).read_bytes()


def test_the_asked_checkpoint_is_attacked(run, split, write, tiny_base):
    model = write("model", {})
    weights = load_base(tiny_base).unet.state_dict()
    for name, change in (("unet", 1.1), ("unet-0002", 1.2)):
        changed = {key: change * value for key, value in weights.items()}
        save_file(changed, model / f"{name}.safetensors")
    inputs = {"split": split, "model": model}
    end = stored(run("features", inputs, attack="loss", **USUAL))["features"]
    middle = stored(run("features", inputs, attack="loss", **USUAL | {"at": 2}))["features"]
    base = stored(run("features", {"split": split}, attack="loss", **USUAL | {"at": 0}))["features"]
    assert len({features.tobytes() for features in (end, middle, base)}) == 3
    # The middle one by hand.
    by_hand = load_base(tiny_base)
    with torch.no_grad():
        for p in by_hand.unet.parameters():
            p.mul_(1.2)
    target = ModelTarget(by_hand, seed=3)
    ids = stored(run("features", inputs, attack="loss", **USUAL))["ids"].tolist()
    from bench.data import scenes

    wanted = -target.losses(scenes.pairs().select(ids), [450])
    np.testing.assert_allclose(middle[0], wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("np.where(np.arange(len(good))[:, None] == 3, np.nan, good)", "not finite"),
        ("good * np.inf", "not finite"),
        ("good[:, 0]", r"shape \(16,\), not \(16, F\)"),
        ("good[:-1]", r"shape \(15, 1\), not \(16, F\)"),
        ("good[:, :0]", r"shape \(16, 0\), not \(16, F\)"),
        ("good[None]", r"shape \(1, 16, 1\), not \(16, F\)"),
    ],
)
def test_unfit_features_are_refused(run, split, odd, features, said):
    with pytest.raises(ValueError, match=f"^odd gave features .*{said}"):
        run("features", {"split": split}, attack=odd(features), **USUAL)


@pytest.mark.parametrize("declared", [0, 2])
def test_an_attack_that_asks_otherwise_than_it_declares_is_refused(run, split, odd, declared):
    with pytest.raises(ValueError, match=f"odd declares {declared} queries a pair and made 1"):
        run("features", {"split": split}, attack=odd("good", declared), **USUAL)


def test_other_numbers_become_float64(run, split, odd):
    found = stored(run("features", {"split": split}, attack=odd("good.astype('f4')"), **USUAL))
    assert found["features"].dtype == np.float64
