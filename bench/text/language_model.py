"""Answers to an instruction about a caption by a local or hub model, one at a time and greedily.

One caption a call: the paper's prompt speaks of "sentences", but several at once can come back
misaligned, and padding would let a caption's rewrite depend on its neighbours.
"""

from __future__ import annotations

import re
from typing import Any

from bench.errors import OfflineError
from bench.paths import expanded

PROMPT = "Please rewrite the following sentences while keeping the key semantics."
"""Footnote 6 of Zhai et al. 2024, verbatim."""
INSTRUCTION = f"{PROMPT} Return only the rewritten sentence."
ROOM = 32
"""New tokens allowed beyond twice the caption's own."""
QUOTES = "\"'\u201c\u201d\u2018\u2019`*"
LEAD_IN = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely|okay|ok|here(?:'s| is| are)|rewritten|"
    r"the rewritten|rephrased)\b[^:\n]{0,80}:\s*)+",
    re.IGNORECASE,
)
THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


class Rewriter:
    """A causal language model with its tokenizer, on the GPU if there is one."""

    def __init__(self, name: str, instruction: str = INSTRUCTION) -> None:
        import torch

        self.instruction = instruction
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.tokenizer = _load(name)
        self.model.to(self.device).eval()

    def rewrite(self, caption: str) -> str:
        """The model's rewrite of one caption, with quotes and lead-in taken off; may be empty."""
        import torch

        inputs = self._inputs(caption)
        length = inputs["input_ids"].shape[1]
        own = len(self.tokenizer(caption)["input_ids"])
        pad = self.tokenizer.pad_token_id
        with torch.inference_mode():
            out = self.model.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=2 * own + ROOM,
                pad_token_id=self.tokenizer.eos_token_id if pad is None else pad,
            )
        return tidy(self.tokenizer.decode(out[0, length:], skip_special_tokens=True))

    def _inputs(self, caption: str) -> Any:
        """The prompt as the model was taught to read it, or as plain text."""
        if getattr(self.tokenizer, "chat_template", None):
            turn = [{"role": "user", "content": f"{self.instruction}\n{caption}"}]
            text = self.tokenizer.apply_chat_template(
                turn, tokenize=False, add_generation_prompt=True
            )
            # The template has written the special tokens already.
            inputs = self.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        else:
            answer = "Rewritten sentence" if self.instruction == INSTRUCTION else "Answer"
            text = f"{self.instruction}\n{caption}\n{answer}:"
            inputs = self.tokenizer(text, return_tensors="pt")
        return {k: v.to(self.device) for k, v in inputs.items() if k != "token_type_ids"}


def tidy(answer: str) -> str:
    """The sentence alone: no thoughts, lead-in, surrounding quotes or line breaks.

    Only the first paragraph counts; what follows is commentary.
    """
    answer = THOUGHTS.sub("", answer).strip()
    answer = LEAD_IN.sub("", answer).strip()
    answer = answer.split("\n\n")[0].strip()
    while len(answer) > 1 and answer[0] in QUOTES and answer[-1] in QUOTES:
        answer = answer[1:-1].strip()
    return " ".join(answer.split())


def _load(name: str) -> tuple[Any, Any]:
    """Model and tokenizer from a folder or the hub; never runs code that comes with a model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = expanded(name)
    if not folder.is_dir() and (folder.is_absolute() or name.startswith((".", "~"))):
        raise OfflineError(f"no language model folder at {folder}; see path=")
    hub_id, _, revision = name.partition("@")
    source = str(folder) if folder.is_dir() else hub_id
    given = {"revision": revision or None, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **given)
        model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", **given)
    except (OSError, ValueError, KeyError, ImportError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise OfflineError(
            f"cannot load the language model '{name}': {said[:200]}; give the path of a local "
            "folder with model and tokenizer"
        ) from None
    return model, tokenizer
