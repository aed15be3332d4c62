"""The published boards: real scores, held to what they claim."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.boards.standing import sizes
from bench.entries.gather import all_entries
from bench.entries.load import load
from bench.stats.worst import Resamples, SeedScores, null_band, worst_case

BOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.fixture(scope="module")
def none():
    return load(BOARDS / "entries" / "none")


def permuted(entry, rng):
    """The entry's scores under membership dealt anew, for all attackers alike."""
    dealt = []
    for seed in entry.seeds:
        sides = [entry.scores(attacker, seed) for attacker in entry.attackers]
        both = np.stack([np.concatenate(side) for side in sides])
        order, m = rng.permutation(both.shape[1]), len(sides[0].members)
        dealt.append(SeedScores(both[:, order[:m]], both[:, order[m:]]))
    return dealt


def test_real_scores_under_permuted_labels_are_at_chance_worst_case_included(none):
    pairs = sizes(none)
    band, resamples = null_band(tuple(pairs)), Resamples.of(pairs, replicates=300)
    rng = np.random.default_rng(0)
    found = [worst_case(permuted(none, rng), resamples).tpr for _ in range(30)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - band.value) < 3 * values.std(ddof=1) / np.sqrt(len(values))
    covered = [one.estimate().low <= band.value <= one.estimate().high for one in found]
    assert np.mean(covered) >= 0.85


def test_boards_are_what_their_entries_give(cli):
    ended = cli("leaderboard", "--check", "--entries", BOARDS / "entries", "--out", BOARDS)
    assert ended.code == 0, ended.out


def test_a_changed_digit_is_found_in_its_line(cli, tmp_path):
    page = BOARDS / "tiles-attacks.md"
    for copied in BOARDS.glob("*.md"):
        shutil.copy(copied, tmp_path)
    text = page.read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if "| clid_th |" in one)
    changed = line.replace("15 ", "16 ", 1)
    (tmp_path / page.name).write_text(text.replace(line, changed), encoding="utf-8")
    ended = cli("leaderboard", "--check", "--entries", BOARDS / "entries", "--out", tmp_path)
    assert ended.code == 3
    assert f"-{changed}" in ended.out
    assert f"+{line}" in ended.out
    assert "tiles-attacks.md" in ended.err


def test_every_shown_entry_is_complete():
    for entry in all_entries(BOARDS / "entries"):
        assert entry.seeds == [0, 1, 2]
        assert entry.about.provenance.dirty is False
        assert entry.about.target.canaries == 64
