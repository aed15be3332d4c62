"""The defense `generalize`: less than five words, and which."""

from __future__ import annotations

import json

import pytest
from defended import captioned, made, prepared

from bench.data import tiles
from bench.errors import UsageError
from bench.text import rewriting

TILES = tiles.pairs()


class Model:
    """Answers with what it was asked, or at length."""

    asked: list[str]

    def __init__(self, path, instruction):
        Model.asked = [path, instruction]

    def rewrite(self, caption):
        return {"long": "one two three four five", "none": ""}.get(caption, f"a {caption}")


def test_every_caption_of_tiles_becomes_less_than_five_words():
    new, notes = prepared("generalize", TILES)
    lengths = [len(caption.split()) for caption in new.captions]
    assert min(lengths) == 1
    assert max(lengths) <= 4
    assert notes["label"] == "generalize-rule"
    assert notes["captions"] == len(TILES)
    assert notes["changed"] == 1.0
    assert notes["words_left"] == sum(lengths) / len(TILES) < 1.1
    assert notes["different"] == len(set(new.captions)) < 0.55 * len(TILES)
    assert new.originals == TILES.originals
    assert new.ids == TILES.ids


def test_a_share_of_the_captions_by_id():
    new, notes = prepared("generalize[p=0.3]", TILES)
    touched = {i for i, a, b in zip(TILES.ids, TILES.captions, new.captions, strict=True) if a != b}
    assert len(touched) == notes["captions"] == pytest.approx(0.3 * len(TILES), rel=0.12)
    part = prepared("generalize[p=0.3]", TILES.select(TILES.ids[300:100:-1]))[0]
    whole = dict(zip(new.ids, new.captions, strict=True))
    assert part.captions == tuple(whole[id_] for id_ in part.ids)
    assert prepared("generalize[p=0]", TILES)[0].captions == TILES.captions


def test_a_file_of_general_captions(tmp_path):
    path = tmp_path / "general.jsonl"
    lines = [{"id": f"p{i}", "text": text} for i, text in enumerate(("an animal", "a thing"))]
    path.write_text("\n".join(map(json.dumps, lines)))
    new, notes = prepared(f"generalize[backend=file,path={path}]", captioned(["a dog", "a cup"]))
    assert new.captions == ("an animal", "a thing")
    assert notes["label"] == "generalize"


def test_a_model_is_asked_with_the_papers_words_and_held_to_them(monkeypatch, tmp_path):
    monkeypatch.setattr(rewriting, "Rewriter", Model)
    pairs = captioned(["dog", "long", "none"])
    new, notes = prepared(f"generalize[backend=llm,path={tmp_path}]", pairs)
    assert new.captions == ("a dog", "long", "none")
    assert notes["fallbacks"] == 2
    assert notes["label"] == "generalize-llm"
    assert Model.asked == [
        str(tmp_path),
        "Make this caption of an image extremely general (result in less than 5 words)",
    ]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("p=2", "defense generalize: p=2.0 must lie between 0 and 1"),
        ("p=nan", "must lie between 0 and 1"),
        ("backend=file", "defense generalize: backend=file needs path="),
        ("path=x", "defense generalize: path belongs to backend=file or backend=llm"),
        ("backend=llm,path=a/b", "defense generalize: pin the hub model"),
    ],
)
def test_bad_parameters(params, said):
    with pytest.raises(UsageError, match=said):
        made(f"generalize[{params}]")


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("generalize[p=0]").bytes == undefended.bytes
    assert trained("generalize").bytes != undefended.bytes
