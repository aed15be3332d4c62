"""Cards, and `bench fetch`: what is expected of the paper's sets, and what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pictured import photos, write_coco, write_folder, write_parquet

from bench.data import fetch
from bench.data.cards import CARDS, Count, named_card
from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.errors import UsageError


def test_cards_say_what_the_paper_says() -> None:
    """Section 4.1 of Zhai et al. 2024, as in attacks.md 6.2."""
    said = {name: (card.members, card.holdouts, dict(card.steps)) for name, card in CARDS.items()}
    assert said == {
        "pokemon": (416, 417, {"overtraining": 15_000, "realworld": 7_500}),
        "coco": (2_500, 2_500, {"overtraining": 150_000, "realworld": 50_000}),
        "flickr": (10_000, 10_000, {"realworld": 200_000}),
        "flickr-overtraining": (2_500, 2_500, {"overtraining": 150_000}),
        "laion-mi": (2_500, 2_500, {}),
    }
    for card in CARDS.values():
        assert card.resolution == 512
        if card.sizes:
            most = max(count.pictures for count in card.counts.values())
            assert card.sizes.total <= most
            assert card.needs_resplit == (card.name in ("pokemon", "flickr"))
    assert named_card("coco").sizes == open_sizes(2_500, 10_000)
    with pytest.raises(UsageError, match="no data card named 'koko'; did you mean pokemon, coco"):
        named_card("koko")


def open_sizes(side: int, reserve: int) -> Any:
    from bench.data.sizes import SplitSizes

    return SplitSizes(side, side, side, side, reserve, reserve)


def test_a_card_is_shown(cli: Callable[..., Any]) -> None:
    shown = cli("show", "coco")
    assert shown.code == 0
    for said in ("2,500 members", "150,000", "118,287", "442b8da7639aecaf", "cocodataset.org"):
        assert said in shown.out
    assert "not publicly known" in cli("show", "flickr").out
    assert "the set itself says who is a member" in cli("show", "laion-mi").out
    assert "card=pokemon" in cli("list", "data").out


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card like `pokemon` for seventy pictures."""
    from bench.data.sizes import SplitSizes

    sizes = SplitSizes(18, 19, 0, 0, 12, 13)
    card = replace(
        CARDS["pokemon"], name="small", sizes=sizes, counts={"train": Count(70, 70)}, md5={}
    )
    for module in ("cards", "fetch"):
        monkeypatch.setattr(f"bench.data.{module}.CARDS", {**CARDS, "small": card})


def test_a_card_s_sizes_are_dealt_and_the_shadow_from_the_target_s(
    small_card: None, tmp_path: Path
) -> None:
    root = write_folder(tmp_path, photos(70))
    source = open_source(f"folder:{root},card=small")
    assert (source.label, source.licence) == ("small", CARDS["pokemon"].licence)
    assert any("66 of 70 pictures are drawn, always the same" in note for note in source.notes)
    assert source.identity != open_source(f"folder:{root},n=66").identity
    split = make_split(source.pairs(), source.identity, 3, source.sizes)
    resplit = make_split(source.pairs(), source.identity, 3, source.sizes, "resplit")
    counts = {part: len(ids) for part, ids in asdict(split).items()}
    assert source.sizes is not None
    assert counts == asdict(source.sizes)
    assert (resplit.members, resplit.reference) == (split.members, split.reference)
    assert len(resplit.shadow_members) == 18
    assert {*resplit.shadow_members, *resplit.shadow_holdouts} == {*split.members, *split.holdouts}
    assert len(open_source(f"folder:{root},card=small,n=70").pairs()) == 70


def test_a_request_without_a_shadow_of_its_own_is_refused(
    small_card: None, tmp_path: Path, tiny_base: Path, cli: Callable[..., Any]
) -> None:
    root = write_folder(tmp_path / "own", photos(70))
    words = ("--data", f"folder:{root},card=small", "--base", tiny_base, "--recipe", "quick")
    words = ("plan", *words, "--defense", "none", "--attack", "loss", "--store", tmp_path / "s")
    refused = cli(*words)
    assert refused.code == 2
    assert (
        "data set small has no pairs for a shadow of its own; add --shadow resplit" in refused.err
    )
    planned = cli(*words, "--shadow", "resplit")
    assert planned.code == 0, planned.err
    from bench.request import Request

    (cell,) = Request(
        ["none"], ["loss"], data=f"folder:{root},card=small", base=str(tiny_base), recipe="quick",
        shadow="resplit",
    ).cells()  # fmt: skip
    assert cell.sampling.n == 12, "no more prompts than reference pairs of the card"


def test_fetch_reports_what_is_there(tmp_path: Path, cli: Callable[..., Any]) -> None:
    root = write_folder(tmp_path, photos(6), several=True)
    ended = cli("fetch", "--for", f"folder:{root},n=4")
    assert ended.code == 0, ended.err
    lines = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    source = open_source(f"folder:{root},n=4")
    assert lines["identity"] == source.identity
    assert lines["pictures"] == "6"
    assert lines["captions"].startswith("12 (")
    assert lines["drawn"] == "4 pictures, 4 pairs; every one can be decoded"
    assert "several captions" in lines["notes"]
    assert cli("fetch", "--for", "tiles").out.splitlines()[-2:] == [
        "pairs      2,735",
        "licence    CC-BY-SA-3.0",
    ]


def test_fetch_reads_every_picture_whatever_was_kept(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    root = write_folder(tmp_path, photos(3))
    (root / "000001.jpg").write_bytes(b"\xff\xd8 no more")
    ended = cli("fetch", "--for", f"folder:{root}")
    assert (ended.code, ended.out) == (3, "")
    assert "metadata.jsonl:2: '000001.jpg' cannot be decoded" in ended.err


def test_fetch_tells_counts_that_differ_from_the_card_s(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    ended = cli("fetch", "--for", f"coco:{write_coco(tmp_path, photos(6))}")
    assert ended.code == 3
    assert ended.err.strip() == (
        "error: captions_val2017 holds 6 pictures and 12 captions; card coco expects 5,000 and "
        "25,014"
    )
    assert "identity" in ended.out


def test_fetch_holds_counts_and_archives_against_a_card(
    small_card: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_parquet(tmp_path, photos(70), 1) / "train-00000-of-00001.parquet"
    sound = fetch.fetch_data(f"parquet:{file},card=small")
    assert sound.flaws == []
    few = write_parquet(tmp_path / "few", photos(65), 1) / "train-00000-of-00001.parquet"
    assert (
        "holds 65 pictures and 65 captions; card small expects 70 and 70"
        in (fetch.fetch_data(f"parquet:{few},card=small").flaws[0])
    )
    (tmp_path / "a.zip").write_bytes(b"archive")
    digest = "00000000000000000000000000000000"
    card = replace(fetch.CARDS["small"], md5={"a.zip": digest, "b.zip": digest})
    monkeypatch.setattr("bench.data.fetch.CARDS", {**fetch.CARDS, "small": card})
    found = fetch.fetch_data(f"parquet:{file},card=small")
    assert found.lines["a.zip"] == "MD5 888d0ee361af3603736f32131e7b20a2"
    assert "b.zip" not in found.lines
    assert len(found.flaws) == 1
    assert f"not {digest}; download it again" in found.flaws[0]


@pytest.mark.parametrize("name", CARDS)
def test_a_card_alone_says_where_to_get_it(name: str, cli: Callable[..., Any]) -> None:
    ended = cli("fetch", "--for", name)
    assert ended.code == 4
    assert "https://" in ended.err
    assert ended.err.count("\n") == 1
