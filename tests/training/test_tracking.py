"""Loss curves for whoever watches, which change nothing."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.training.engine import check_trackers
from bench.training.means import Means


def test_tensorboard_is_told_the_loss_of_every_step(training, recipe, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    plain = training(recipe)
    watched = training(recipe, means=Means(trackers=("tensorboard",), tracks=tmp_path / "tracks"))
    assert watched.bytes == plain.bytes
    (folder,) = (tmp_path / "tracks").iterdir()
    told = events.EventAccumulator(str(folder))
    told.Reload()
    losses = told.Scalars("loss")
    assert [point.step for point in losses] == list(range(1, 10))
    first = sum(point.value for point in losses[:3]) / 3
    assert first == pytest.approx(plain.figures["loss_by_epoch"][0], rel=1e-4)


def test_an_unknown_tracker_is_refused():
    with pytest.raises(UsageError, match="did you mean tensorboard"):
        check_trackers(["tensorbord"])


def test_the_command_line_refuses_it_too(cli, tiny_words, tmp_path):
    ended = cli("run", *tiny_words, "--attack", "loss", "--track", "x", "--store", tmp_path)
    assert ended.code == 2
    assert "no tracker named 'x'" in ended.err


def test_a_launcher_around_the_command_is_refused(cli, tiny_words, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    ended = cli("run", *tiny_words, "--attack", "loss", "--store", tmp_path)
    assert ended.code == 2
    assert "--processes N" in ended.err
