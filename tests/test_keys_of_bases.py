"""Keys of cells as they were when the first results were published: hours of work hang on them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cells import cell

from bench.executors.work import describe
from bench.pipeline import cell_stage

PUBLISHED: list[tuple[dict[str, Any], int, str]] = [
    ({}, 14, "9bab80a8df1ab67e8f6f3993178cb83959daa0bdbf6de358159e6e71dc93fd90"),
    (
        {"view": "pseudo", "captioner_identity": "c-1"},
        15,
        "c9d54fce09149671047966d709f1b269629b051d9283c7df54b7762ee1c26ab6",
    ),
    (
        {"at": 0, "seed": 1},
        11,
        "1094d330e24e6cba6d41cb3fb353a80d8159b308dd861a6eb41cc93be1ebba2d",
    ),
]


@pytest.mark.parametrize(("changed", "stages", "digest"), PUBLISHED)
def test_keys_stay(changed: dict[str, Any], stages: int, digest: str) -> None:
    keys = sorted(stage.key for stage in cell_stage(cell(**changed)).walk())
    assert len(keys) == stages
    assert hashlib.sha256("".join(keys).encode()).hexdigest() == digest


def test_a_variant_is_a_hint_that_its_worker_is_told() -> None:
    plain, half = cell_stage(cell()), cell_stage(cell(variant="fp16"))
    assert plain.key == half.key  # its identity and label, which differ, are in the key
    for one, other in zip(plain.walk(), half.walk(), strict=True):
        assert "variant" not in describe(one)["hints"]
        if "base" in one.hints:
            assert describe(other)["hints"]["variant"] == "fp16"
