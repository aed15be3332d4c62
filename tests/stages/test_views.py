"""What an attack starts from: the captions of its view, and the references' words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.plugins import instantiate, resolve

USUAL = {"part": "target", "seed": 3, "at": None}
SPY = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from bench import Attack, Defense

@dataclass
class Spy(Attack):
    name = "spy"

    def features(self, target, pairs):
        Path({place!r}).write_text("\\n".join(pairs.captions))
        return np.zeros((len(pairs), 1))

@dataclass
class Marked(Defense):
    name = "marked"

    def prepare(self, pairs, context):
        return pairs.with_captions([f"{{context.seed}} {{c}}" for c in pairs.originals])
"""


@pytest.fixture
def spy(tmp_path):
    path, seen = tmp_path / "spy.py", tmp_path / "seen.txt"
    path.write_text(SPY.format(place=str(seen)))
    return str(path), lambda: seen.read_text().split("\n")


def test_the_original_view_is_what_the_pictures_came_with(run, split, parts, scene_pairs, spy):
    attack, seen = spy
    run("features", {"split": split}, attack=attack, view="original", **USUAL)
    ids = sorted(parts["members"] + parts["holdouts"])
    assert seen() == list(scene_pairs.select(ids).originals)


def test_the_defended_view_replays_the_defense_with_another_seed(run, split, spy):
    attack, seen = spy
    asked = {"attack": attack, "defense": attack, "view": "defended", "replays": 1}
    run("features", {"split": split}, **asked, **USUAL)
    seeds = {line.split()[0] for line in seen()}
    assert len(seeds) == 1
    assert seeds != {"3"}


def test_every_replay_has_a_seed_of_its_own_and_its_own_features(run, split, tmp_path):
    path = tmp_path / "numbered.py"
    path.write_text(
        "import numpy as np\nfrom bench import Attack, Defense\n"
        "class Seen(Attack):\n    name = 'seen'\n"
        "    def features(self, target, pairs):\n"
        "        return np.array([[float(c)] for c in pairs.captions])\n"
        "class Seeds(Defense):\n    name = 'seeds'\n"
        "    def prepare(self, pairs, context):\n"
        "        return pairs.with_captions([str(context.seed)] * len(pairs))\n"
    )
    asked = {"attack": f"{path}:seen", "defense": f"{path}:seeds", "view": "defended"}
    done = run("features", {"split": split}, **asked, replays=4, **USUAL)
    with np.load(done.folder / "features.npz", allow_pickle=False) as stored:
        features = stored["features"]
    assert features.shape == (4, 16, 1)
    assert all(len(set(replay.ravel())) == 1 for replay in features)
    assert len(set(features[:, 0, 0])) == 4
    fewer = run("features", {"split": split}, **asked, replays=2, **USUAL)
    with np.load(fewer.folder / "features.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["features"], features[:2])


def test_a_half_of_the_shadow_meets_the_replays_of_the_whole(run, split, spy, tmp_path):
    """The captions of `shuffle` depend on the set; reference and features must ask with one."""
    path = tmp_path / "listening.py"
    path.write_text(
        "from pathlib import Path\nimport json\nimport numpy as np\n"
        "from bench import ReferenceAttack\n"
        "class Listening(ReferenceAttack):\n    name = 'listening'\n    queries = 0\n"
        "    def observe(self, reference, pairs):\n"
        f"        place = Path({str(tmp_path)!r}) / 'heard.json'\n"
        "        heard = json.loads(place.read_text()) if place.exists() else []\n"
        "        place.write_text(json.dumps([*heard, dict(zip(pairs.ids, pairs.captions))]))\n"
        "        return np.zeros((len(pairs), 1))\n"
        "    def compare(self, target, pairs, observed):\n"
        "        self.observe(target, pairs)\n"
        "        return observed\n"
    )
    asked = {"attack": str(path), "defense": "shuffle", "view": "defended", "replays": 2}
    halves = {
        f"reference_{k}": run(
            "reference", {"split": split}, **asked, **USUAL | {"part": f"fold_{k}"}
        ).folder
        for k in range(2)
    }
    run("features", {"split": split, **halves}, **asked, **USUAL | {"part": "shadow"})
    *parts, first, second = json.loads((tmp_path / "heard.json").read_text())
    for number, whole in enumerate((first, second)):
        told = parts[number] | parts[2 + number]
        assert told == whole
    assert first != second


def test_the_pseudo_view_asks_with_the_captioner_s_words(run, split, write, parts, spy):
    attack, seen = spy
    ids = sorted(parts["members"] + parts["holdouts"])
    captions = write("captions", {"captions": {id_: f"picture {id_}" for id_ in ids}})
    inputs = {"split": split, "captions": captions}
    run("features", inputs, attack=attack, view="pseudo", **USUAL)
    assert seen() == [f"picture {id_}" for id_ in ids]


def test_features_read_what_the_reference_said_of_the_same_pairs(run, split):
    said = run("reference", {"split": split}, attack="ref_align", view="original", **USUAL)
    assert said.result == {"pairs": 16, "queries": 48}
    inputs = {"split": split, "reference": said.folder}
    done = run("features", inputs, attack="ref_align", view="original", **USUAL)
    assert done.result == {"pairs": 16, "queries": 48, "reference_queries": 48}
    with np.load(done.folder / "features.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["features"], np.zeros((1, 16, 3)))  # it is the target itself


def test_each_half_of_the_shadow_is_joined_to_its_own_pairs(run, split, parts):
    shadow = USUAL | {"part": "shadow"}
    halves = {
        f"reference_{k}": run(
            "reference", {"split": split}, attack="ref_loss", view="original",
            **USUAL | {"part": f"fold_{k}"},
        ).folder
        for k in range(2)
    }  # fmt: skip
    done = run("features", {"split": split, **halves}, attack="ref_loss", view="original", **shadow)
    assert done.result["pairs"] == 16
    assert done.result["reference_queries"] == 48
    made = instantiate("attack", resolve("attack", "ref_loss"))
    with np.load(done.folder / "features.npz", allow_pickle=False) as stored:
        assert np.abs(made.score(stored["features"][0])).max() < 1e-6
        assert stored["ids"].tolist() == sorted(parts["shadow_members"] + parts["shadow_holdouts"])
