"""A small byte-pair vocabulary in CLIP's own format, learnt from public English only."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

LENGTH = 64
END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def learn_merges(lines: Iterable[str], size: int) -> list[tuple[str, str]]:
    """Byte-pair merges so that bytes, bytes at a word's end, merges and two marks fill `size`."""
    from tokenizers import Regex

    learner = Tokenizer(models.BPE(end_of_word_suffix=END_OF_WORD))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=sorted(ByteLevel.alphabet()),
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(lines, trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges][: size - 512 - 2]


def write_tokenizer(lines: Iterable[str], folder: Path, size: int = 6144) -> CLIPTokenizer:
    """Learn, then save in the layout that CLIPTokenizer.from_pretrained reads."""
    merges = learn_merges(lines, size)
    letters = sorted(ByteLevel.alphabet())
    words = letters + [letter + END_OF_WORD for letter in letters]
    words += [left + right for left, right in merges] + [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate(words)}
    if len(vocabulary) != len(words):
        raise ValueError("a merge was learnt twice")
    text = json.dumps(vocabulary, ensure_ascii=False)
    (folder / "vocab.json").write_text(text, encoding="utf-8")
    rules = "".join(f"{left} {right}\n" for left, right in merges)
    (folder / "merges.txt").write_text("#version: 0.2\n" + rules, encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "do_lower_case": True,
        "errors": "replace",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    marks = {key: config[key] for key in ("bos_token", "eos_token", "pad_token", "unk_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(marks, indent=2) + "\n")
    return CLIPTokenizer.from_pretrained(folder)
