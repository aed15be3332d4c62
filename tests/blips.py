"""A BLIP of a few thousand random weights."""

from __future__ import annotations

from pathlib import Path

WORDS = "a red blue big small dog cat house on the of tree sky cup".split()


def write_blip(folder: Path, together: bool, seed: int = 0) -> str:
    """A random BLIP of a few thousand weights in the files that transformers writes.

    `together` is today's one processor file; the hub's BLIPs have an older one for the pictures.
    """
    import torch
    from transformers import (
        BertTokenizer,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessorPil,
        BlipProcessor,
    )

    folder.mkdir()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*marks, *WORDS]))
    tokenizer = BertTokenizer.from_pretrained(folder)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    shape |= {"num_attention_heads": 2, "projection_dim": 16}
    # As in the published ones, the mark to start from is beyond the tokenizer's words.
    start = len(tokenizer)
    text = shape | {"encoder_hidden_size": 16, "vocab_size": start + 1}
    text |= {"bos_token_id": start, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    vision = shape | {"image_size": 16, "patch_size": 8}
    config = BlipConfig(text_config=text, vision_config=vision)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BlipForConditionalGeneration(config)
        for weights in model.parameters():
            weights.data.normal_(std=0.5)
    model.save_pretrained(folder)
    pictures = BlipImageProcessorPil(size={"height": 16, "width": 16})
    if together:
        BlipProcessor(pictures, tokenizer).save_pretrained(folder)
    else:
        tokenizer.save_pretrained(folder)
        pictures.save_pretrained(folder)
    return str(folder)
