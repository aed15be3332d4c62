"""The contract of both, and what the defense does."""

import pytest
from bench_example.words import first

from bench.contract import broken


@pytest.mark.parametrize(("kind", "name"), [("attack", "late_loss"), ("defense", "first_words")])
def test_it_keeps_the_contract(kind, name):
    """Every check of `bench test`."""
    assert broken(kind, name) == []


def test_short_captions_stay_as_they_are():
    """Blanks too."""
    assert first("a  red dot", 5) == "a  red dot"
    assert first("a red dot on a green field", 3) == "a red dot"
