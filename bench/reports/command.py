"""From a request back to the words that ask for it."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from bench.request import Request
from bench.specs import Sampling

MANY = {"defenses": "--defense", "attacks": "--attack", "plugins": "--plugins", "sets": "--set"}
FLAGS = ("offline",)


def command(request: Request, verb: str = "bench run") -> str:
    """One line for a shell; what is as by default is left out."""
    words = verb.split()
    usual = Request(defenses=(), attacks=())
    for field in dataclasses.fields(Request):
        value, default = getattr(request, field.name), getattr(usual, field.name)
        if field.name in MANY:
            words += [word for one in value for word in (MANY[field.name], str(one))]
        elif field.name == "sampling":
            words += _sampling(value, default)
        elif field.name in FLAGS:
            words += [f"--{field.name}"] if value else []
        elif field.name in ("seeds", "at"):
            if list(value) != list(default):
                words += [f"--{field.name}", ",".join(map(str, value))]
        elif value != default:
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _sampling(value: Sampling, default: Sampling) -> list[str]:
    told: dict[str, Any] = {"--sampler": "sampler", "--steps": "steps", "--guidance": "guidance",
                            "--samples": "n"}  # fmt: skip
    return [
        word
        for option, name in told.items()
        if getattr(value, name) != getattr(default, name)
        for word in (option, f"{getattr(value, name)}")
    ]
