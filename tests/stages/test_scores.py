"""The target's labels are joined after the scores are fixed; the threshold is the shadow's."""

from __future__ import annotations

import numpy as np
import pytest

from bench.plugins import instantiate, resolve
from bench.stats.roc import accuracy, auc, best_threshold

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from bench import Attack

@dataclass
class Odd(Attack):
    name = "odd"

    def score(self, features):
        return {score}
"""


@pytest.fixture
def parts():
    names = ("members", "holdouts", "shadow_members", "shadow_holdouts")
    return {name: [f"{name}-{i}" for i in range(60)] for name in names}


@pytest.fixture
def inputs(write, parts):
    """Features in which members differ, target and shadow with a scale of their own."""

    def make(parts=parts, seed=0):
        rng = np.random.default_rng(seed)
        folders = {"split": write("split", parts)}
        for role, names, scale in (
            ("target", ("members", "holdouts"), 1.0),
            ("shadow", ("shadow_members", "shadow_holdouts"), 1.1),
        ):
            ids = np.array(sorted(f"{name}-{i}" for name in names for i in range(60)))
            gain = np.char.find(ids, "members") >= 0
            loss = rng.normal(-0.1, 0.02, 120) + 0.02 * gain
            differences = rng.normal(1e-3, 5e-4, (120, 4)) + 5e-4 * gain[:, None]
            folders[role] = write(role, {})
            np.savez(
                folders[role] / "features.npz",
                ids=ids,
                features=scale * np.column_stack([loss, differences])[None],
            )
        return folders

    return make


def stored(folder, name="scores"):
    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("attack", ["loss", "clid_th", "clid_th[reduction=null]"])
def test_target_labels_turned_about_leave_every_score_as_it_was(run, inputs, parts, attack):
    usual = run("scores", inputs(), pool="mean", attack=attack)
    rng = np.random.default_rng(1)
    everybody = rng.permutation(parts["members"] + parts["holdouts"]).tolist()
    turned = parts | {"members": everybody[:60], "holdouts": everybody[60:]}
    other = run("scores", inputs(turned), pool="mean", attack=attack)
    assert other.result == usual.result
    ours, theirs = stored(usual.folder), stored(other.folder)
    assert np.array_equal(ours["ids"], theirs["ids"])
    assert np.array_equal(ours["scores"], theirs["scores"])
    assert not np.array_equal(ours["is_member"], theirs["is_member"])
    assert theirs["is_member"].sum() == 60


def test_shadow_labels_are_what_is_learned_from(run, inputs, parts):
    usual = run("scores", inputs(), pool="mean", attack="clid_th")
    turned = parts | {
        "shadow_members": parts["shadow_holdouts"],
        "shadow_holdouts": parts["shadow_members"],
    }
    other = run("scores", inputs(turned), pool="mean", attack="clid_th")
    assert other.result["threshold"] != usual.result["threshold"]


@pytest.mark.parametrize("attack", ["loss", "clid_th"])
def test_scores_and_threshold_are_those_of_fit_and_score(run, inputs, parts, attack):
    folders = inputs()
    done = run("scores", folders, pool="mean", attack=attack)
    shadow, target = (stored(folders[role], "features") for role in ("shadow", "target"))
    in_shadow = np.isin(shadow["ids"], parts["shadow_members"])
    asked, known = target["features"][0], shadow["features"][0]
    made = instantiate("attack", resolve("attack", attack)).fit(known, in_shadow)
    found = stored(done.folder)
    assert np.array_equal(found["scores"], made.score(asked))
    assert found["is_member"].tolist() == ["members" in id_ for id_ in target["ids"]]
    scores = made.score(known)
    sides = scores[in_shadow], scores[~in_shadow]
    assert done.result["threshold"] == best_threshold(*sides)
    grid = np.linspace(scores.min(), scores.max(), 2000)
    best = max(accuracy(*sides, threshold) for threshold in grid)
    assert accuracy(*sides, done.result["threshold"]) >= best


def test_what_was_learned_is_told(run, inputs):
    learned = run("scores", inputs(), pool="mean", attack="clid_th").result["learned"]
    assert list(learned) == ["alpha"]
    assert learned["alpha"] in [i / 10 for i in range(11)]
    assert run("scores", inputs(), pool="mean", attack="loss[t=350]").result["learned"] == {}


@pytest.mark.parametrize(
    "score", ["features", "features[:-1, 0]", "features[:, 0] * np.inf", "features[:1, 0]"]
)
def test_anything_but_one_finite_score_a_pair_is_refused(run, inputs, tmp_path, score):
    (tmp_path / "odd.py").write_text(PLUGIN.format(score=score))
    with pytest.raises(ValueError, match=r"^odd must give one finite score a pair"):
        run("scores", inputs(), pool="mean", attack=str(tmp_path / "odd.py"))


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_replays_are_scored_one_by_one_and_pooled(run, inputs, parts, pool):
    folders, rng = inputs(), np.random.default_rng(2)
    replays = {}
    for role in ("target", "shadow"):
        known = stored(folders[role], "features")
        shaken = known["features"] + rng.normal(0, 0.01, (3, *known["features"].shape[1:]))
        np.savez(folders[role] / "features.npz", ids=known["ids"], features=shaken)
        replays[role] = shaken
    done = run("scores", folders, pool=pool, attack="clid_th")
    ids = stored(folders["shadow"], "features")["ids"]
    in_shadow = np.isin(ids, parts["shadow_members"])
    pooled, sides = getattr(np, pool), []
    for some in (replays["shadow"], replays["shadow"][:1]):
        made = instantiate("attack", resolve("attack", "clid_th"))
        made = made.fit(np.concatenate(some), np.tile(in_shadow, len(some)))
        scores = {
            role: pooled([made.score(one) for one in found], axis=0)
            for role, found in replays.items()
        }
        shadow = scores["shadow"][in_shadow], scores["shadow"][~in_shadow]
        sides.append((auc(*shadow), scores["target"], best_threshold(*shadow)))
    _, wanted, threshold = max(sides, key=lambda side: side[0])
    assert np.array_equal(stored(done.folder)["scores"], wanted)
    assert done.result["threshold"] == threshold
