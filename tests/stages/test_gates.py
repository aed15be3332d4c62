"""The stages `blind` and `duplicates`, and what a row says of their verdicts."""

from __future__ import annotations

import numpy as np
import pytest

from bench.trust.clues import caption_clues


@pytest.mark.parametrize("network", [False, True])
def test_blind_gates_look_at_members_and_holdouts(run, split, parts, scene_pairs, network):
    done = run("blind", {"split": split}, resolution=16, network=network)
    assert [gate["name"] for gate in done.result["gates"]] == ["blind captions", "blind pictures"]
    for gate in done.result["gates"]:
        figures = gate["figures"]
        assert (figures["members"], figures["holdouts"]) == (8, 8)
        assert figures["tpr"] is None
    with np.load(done.folder / "blind.npz", allow_pickle=False) as stored:
        ids, is_member = stored["ids"].tolist(), stored["is_member"]
        assert stored["captions"].shape == stored["pictures"].shape == (16,)
    assert ids == sorted([*parts["members"], *parts["holdouts"]])
    assert {i for i, known in zip(ids, is_member, strict=True) if known} == set(parts["members"])
    assert caption_clues(scene_pairs.select(ids).originals).shape[0] == 16


def test_duplicates_look_at_the_shadow_too(run, split):
    (gate,) = run("duplicates", {"split": split}).result["gates"]
    assert gate["name"] == "duplicates"
    assert set(gate["figures"]) == {"pictures", "captions", "of_target"}
