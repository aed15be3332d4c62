"""The defense `reph`: its three backends, its notes, its errors."""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.api import Context, Pairs
from bench.data import tiles
from bench.errors import OfflineError, UsageError
from bench.rng import generator
from bench.text.language_model import INSTRUCTION, PROMPT, Rewriter, tidy
from bench.text.measure import plain, words_changed
from bench.text.rewrite import rewrite

FILE = Path(__file__).parents[2] / "defenses" / "rephrase.py"


def load():
    """The class by path, as the plugin loader finds it."""
    spec = importlib.util.spec_from_file_location("rephrase_under_test", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Rephrase


Rephrase = load()


def no_picture(id_):
    raise AssertionError("no caption defense opens a picture")


def make_pairs(captions):
    ids = tuple(f"p{i}" for i in range(len(captions)))
    return Pairs(ids, tuple(captions), tuple(f"original {c}" for c in captions), no_picture)


def prepared(pairs, seed=0, **params):
    context = Context(seed=seed, auxiliary=pairs.select([]))
    return Rephrase(**params).prepare(pairs, context), context.notes


@pytest.fixture(scope="module")
def tiles_pairs():
    return tiles.pairs()


@pytest.fixture(scope="module")
def reph_tiles(tiles_pairs):
    return prepared(tiles_pairs)


def test_every_caption_of_tiles_changes(tiles_pairs, reph_tiles):
    new, notes = reph_tiles
    assert notes["label"] == "reph-rule"
    assert notes["backend"] == "rule"
    assert notes["changed"] == 1.0
    assert notes["captions"] == len(tiles_pairs)
    assert notes["framed"] / len(tiles_pairs) < 0.05
    assert 0.22 < notes["words_changed"] < 0.45
    assert 0.31 < notes["jaccard_distance"] < 0.60
    for old, text in zip(tiles_pairs.captions, new.captions, strict=True):
        assert plain(old) != plain(text)
        assert text == " ".join(text.split())


def test_articles_agree_on_tiles(reph_tiles):
    for text in reph_tiles[0].captions:
        assert not re.search(r"\b[Aa] (?:enormous|immense|improvised|unusual|item|object)\b", text)
        assert not re.search(r"\b[Aa]n (?:huge|big|little|compact|makeshift)\b", text)
        assert not re.search(r"[\ue000-\uf8ff]", text), "a placeholder was left"


def test_length_stays_near_the_original(tiles_pairs, reph_tiles):
    old = sum(len(c.split()) for c in tiles_pairs.captions)
    new = sum(len(c.split()) for c in reph_tiles[0].captions)
    assert 0.95 < new / old < 1.2


def test_ids_originals_and_source_are_kept(tiles_pairs, reph_tiles):
    new = reph_tiles[0]
    assert new.ids == tiles_pairs.ids
    assert new.originals == tiles_pairs.originals
    assert new.captions != tiles_pairs.captions
    assert tiles_pairs.captions == tiles_pairs.originals


def test_same_seed_same_text_and_other_seed_other(tiles_pairs):
    some = tiles_pairs.select(tiles_pairs.ids[:100])
    assert prepared(some)[0].captions == prepared(some)[0].captions
    assert prepared(some)[0].captions != prepared(some, seed=1)[0].captions


def test_order_and_subset_do_not_matter(tiles_pairs, reph_tiles):
    whole = dict(zip(reph_tiles[0].ids, reph_tiles[0].captions, strict=True))
    part = prepared(tiles_pairs.select(tiles_pairs.ids[200:100:-1]))[0]
    assert part.captions == tuple(whole[id_] for id_ in part.ids)


def test_rate_zero_is_no_defense(tiles_pairs):
    new, notes = prepared(tiles_pairs, rate=0.0)
    assert new.captions == tiles_pairs.captions
    assert notes["changed"] == notes["words_changed"] == 0.0


def test_a_lower_rate_changes_less(tiles_pairs, reph_tiles):
    some = tiles_pairs.select(tiles_pairs.ids[:400])
    low, high = prepared(some, rate=0.3)[1], prepared(some)[1]
    assert low["changed"] == 1.0
    assert low["words_changed"] < 0.7 * high["words_changed"]


def test_no_pairs_at_all(tiles_pairs):
    assert len(prepared(tiles_pairs.select([]))[0]) == 0


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"backend": "gpt"}, "no backend 'gpt'"),
        ({"backend": "file"}, "needs path="),
        ({"backend": "llm"}, "needs path="),
        ({"backend": "llm", "path": "nobody/nothing"}, "pin the hub model"),
        ({"path": "x.jsonl"}, "path belongs to"),
        ({"rate": 1.5}, "between 0 and 1"),
        ({"rate": float("nan")}, "between 0 and 1"),
    ],
)
def test_bad_parameters(params, said):
    with pytest.raises(UsageError, match=said):
        Rephrase(**params)


def test_import_is_light():
    code = (
        "import sys, importlib.util as u; import bench.api\n"
        f"s = u.spec_from_file_location('x', {str(FILE)!r}); m = u.module_from_spec(s)\n"
        "sys.modules['x'] = m; s.loader.exec_module(m); m.Rephrase()\n"
        "print([n for n in ('torch', 'transformers', 'pandas', 'scipy') if n in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=FILE.parents[1],
    )
    assert out.stdout.strip() == "[]"


class TestFile:
    pairs = make_pairs(["a dog", "a cat"])

    def write(self, tmp_path, *lines):
        path = tmp_path / "rewrites.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts), encoding="utf-8")
        return str(path)

    def test_texts_by_id(self, tmp_path):
        digest = hashlib.sha256(b"a cat").hexdigest()
        path = self.write(
            tmp_path,
            {"id": "p1", "text": " one \u2028 feline ", "orig_sha256": digest, "model": "any"},
            "",
            {"id": "p0", "text": "one hound"},
            {"id": "other", "text": "of no concern"},
        )
        new, notes = prepared(self.pairs, backend="file", path=path)
        assert new.captions == ("one hound", "one feline")
        assert notes["label"] == "reph"
        assert notes["rewrites_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
        assert notes["changed"] == 1.0

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("{not json", "line 2: not JSON"),
            ("[1]", "line 2: want an object"),
            ({"text": "a"}, "line 2: 'id' is missing"),
            ({"id": "p1"}, "line 2: 'text' is missing"),
            ({"id": "p1", "text": "  "}, "line 2: 'text' is missing, empty"),
            ({"id": "p1", "text": 3}, "line 2: 'text' is missing, empty or no text"),
            ({"id": "p0", "text": "b"}, "line 2: id 'p0' is on line 1 already"),
            ({"id": "p1", "text": "b", "orig_sha256": "00"}, "line 2: orig_sha256 is not"),
            ({"id": "p1", "text": "b", "orig_sha256": 1}, "line 2: 'orig_sha256' is no text"),
            ({"id": "p2", "text": "b"}, "no rewrite for 1 of 2 captions, e.g. id 'p1'"),
        ],
    )
    def test_broken_lines_say_where(self, tmp_path, line, said):
        path = self.write(tmp_path, {"id": "p0", "text": "one hound"}, line)
        with pytest.raises(UsageError, match=re.escape(said)) as caught:
            prepared(self.pairs, backend="file", path=path)
        assert path in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_no_file(self, tmp_path):
        with pytest.raises(UsageError, match="no file of rewrites"):
            prepared(self.pairs, backend="file", path=str(tmp_path / "absent.jsonl"))

    def test_a_picture_is_no_text(self, tmp_path):
        path = tmp_path / "x.jsonl"
        path.write_bytes(b"\x89PNG\xff\xfe")
        with pytest.raises(UsageError, match="cannot read the rewrites"):
            prepared(self.pairs, backend="file", path=str(path))


TEMPLATE = (
    "{% for m in messages %}<user>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


def write_model(folder, template, seed=0):
    """A random Llama of a few thousand weights with a byte tokenizer, as transformers saves it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate(["</s>", "<user>", "<bot>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": ["<user>", "<bot>"]})
    fast.chat_template = template
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=1024,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=[TEMPLATE, None], ids=["chat", "plain"])
def model_path(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("llm"), request.param)


class TestLanguageModel:
    captions = ("a big dog", "a rock", "xyz")

    def test_every_caption_is_rewritten(self, model_path):
        pairs = make_pairs(self.captions)
        new, notes = prepared(pairs, backend="llm", path=model_path)
        assert notes["label"] == "reph-llm"
        assert notes["prompt"] == INSTRUCTION
        assert notes["changed"] == 1.0
        assert 0 <= notes["fallbacks"] <= len(pairs)
        assert all(text.strip() for text in new.captions)

    def test_order_and_company_do_not_matter(self, model_path):
        pairs = make_pairs(self.captions)
        whole = prepared(pairs, backend="llm", path=model_path)[0]
        alone = prepared(pairs.select(["p1"]), backend="llm", path=model_path)[0]
        assert alone.captions == (whole.captions[1],)

    def test_empty_answers_fall_back_to_the_rules(self, tmp_path):
        """A model whose every next token is the end answers nothing."""
        import torch
        from transformers import AutoModelForCausalLM

        path = write_model(tmp_path, TEMPLATE)
        model = AutoModelForCausalLM.from_pretrained(path)
        with torch.no_grad():
            model.lm_head.weight.zero_()  # all logits equal: greedy picks token 0, the end
        model.save_pretrained(path)
        pairs = make_pairs(self.captions)
        new, notes = prepared(pairs, backend="llm", path=path)
        assert notes["fallbacks"] == 3
        assert new.captions == prepared(pairs)[0].captions

    def test_prompt(self, model_path):
        rewriter = Rewriter(model_path)
        ids = rewriter._inputs("a big dog")["input_ids"][0]
        text = rewriter.tokenizer.decode(ids)
        assert PROMPT in text
        assert "a big dog" in text
        assert ("<bot>" in text) == bool(rewriter.tokenizer.chat_template)

    def test_missing_folder(self, tmp_path):
        with pytest.raises(OfflineError, match="no language model folder") as caught:
            prepared(make_pairs(["a"]), backend="llm", path=str(tmp_path / "absent"))
        assert "\n" not in str(caught.value)

    def test_folder_without_a_model(self, tmp_path):
        with pytest.raises(OfflineError, match="cannot load the language model") as caught:
            prepared(make_pairs(["a"]), backend="llm", path=str(tmp_path))
        assert "\n" not in str(caught.value)

    def test_hub_out_of_reach(self, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(OfflineError, match="cannot load .* 'nobody/nothing@main'"):
            prepared(make_pairs(["a"]), backend="llm", path="nobody/nothing@main")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("A big dog.", "A big dog."),
        ('"A big dog."', "A big dog."),
        ('Sure, here is the rewritten sentence:\n\n"A big dog."', "A big dog."),
        ("Sure! Here's a rewrite: A big dog.", "A big dog."),
        ("Rewritten sentence: A big dog.\n\nI kept the meaning.", "A big dog."),
        ("ski mask: A big dog.", "ski mask: A big dog."),
        ("<think>hm\n\nhm</think>\nA big\ndog.", "A big dog."),
        ("**A big dog.**", "A big dog."),
        ("  ", ""),
    ],
)
def test_tidy(answer, sentence):
    assert tidy(answer) == sentence


def test_a_row_says_which_backend_rewrote(tmp_path: Path) -> None:
    from bench.plugins import resolve

    rewrites = tmp_path / "r.jsonl"
    rewrites.write_text("{}")
    assert resolve("defense", "reph").label == "reph-rule"
    assert resolve("defense", "reph[rate=0.5]").label == "reph-rule[rate=0.5]"
    named = resolve("defense", f"reph[backend=file,path={rewrites}]").label
    assert named.startswith("reph[backend=file")


def test_other_rewrites_in_the_same_file_are_another_defense(tmp_path: Path) -> None:
    from bench.plugins import resolve

    rewrites = tmp_path / "r.jsonl"
    sources = []
    for text in ("one", "two"):
        rewrites.write_text(text)
        sources.append(resolve("defense", f"reph[backend=file,path={rewrites}]").source)
    assert sources[0] != sources[1]


def test_words_changed_rise_with_the_rate() -> None:
    captions = tiles.pairs().captions[:60]
    shares = []
    for rate in (0.02, 0.3, 1.0):
        texts = [rewrite(c, generator("rate", i), rate)[0] for i, c in enumerate(captions)]
        shares.append(sum(map(words_changed, captions, texts)) / len(captions))
    assert shares == sorted(shares)
    assert shares[0] < shares[2] / 2
