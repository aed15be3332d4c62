"""Whatever goes wrong: one clear line on stderr, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import environment_of_bench

BASE = "BASE"
OK = ("--defense", "none", "--attack", "loss", "--data", "scenes:n=120", "--base", BASE)


def but(option: str, value: str) -> tuple[str, ...]:
    """A run that would work, but for this option."""
    words = list(OK)
    if option in words:
        words[words.index(option) + 1] = value
        return ("run", *words)
    return ("run", *words, option, value)


WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "defense": (but("--defense", "nonee"), 2, "no defense named 'nonee'; did you mean none"),
    "attack": (but("--attack", "clid"), 2, "did you mean clid_th"),
    "attack parameter": (but("--attack", "loss[tt=3]"), 2, "no parameter of loss named 'tt'"),
    "attack value": (but("--attack", "loss[t=many]"), 2, "'t'"),
    "timestep": (but("--attack", "loss[t=1000]"), 2, "t 1000 is outside the model's timesteps"),
    "several values": (but("--attack", "mc[timesteps=1]"), 2, "write timesteps=(1,2)"),
    "attack brackets": (but("--attack", "loss[t=3"), 2, "cannot read attack"),
    "attack file": (but("--attack", "./absent.py"), 2, "no attack file absent.py"),
    "attack twice": (("run", *OK, "--attack", "loss"), 2, "asked for twice"),
    "no attack": (("run", "--defense", "none"), 2, "--attack"),
    "no defense": (("run", "--attack", "loss"), 2, "--defense"),
    "recipe": (but("--recipe", "quik"), 2, "no recipe named 'quik'; did you mean quick"),
    "preset": (but("--preset", "quik"), 2, "did you mean quick"),
    "precision": (but("--precision", "bf17"), 2, "no precision named 'bf17'; did you mean bf16"),
    "sampler": (but("--sampler", "dpm"), 2, "no sampler named 'dpm'; did you mean dpm++"),
    "no steps": (but("--steps", "0"), 2, "--steps"),
    "guidance below 1": (but("--guidance", "0.5"), 2, "--guidance"),
    "one sample": (but("--samples", "1"), 2, "--samples"),
    "Inception weights": (but("--inception", "absent.pth"), 4, "no Inception weights at"),
    "augment": (but("--augment", "nun"), 2, "did you mean none"),
    "format": (but("--format", "jsn"), 2, "did you mean json"),
    "seeds": (but("--seeds", "0,one"), 2, "--seeds 0,one"),
    "negative seed": (but("--seeds", "-1"), 2, "--seeds -1"),
    "empty seeds": (but("--seeds", ""), 2, "--seeds"),
    "at": (but("--at", "soon"), 2, "--at soon"),
    "at beyond the end": (but("--at", "5000"), 2, "--at 5000: recipe"),
    "workers": (but("--workers", "0"), 2, "--workers"),
    "workers in words": (but("--workers", "two"), 2, "--workers"),
    "executor": (but("--executor", "rai"), 2, "no executor named 'rai'; did you mean ray"),
    "address": (but("--address", "head:6379"), 2, "--address belongs to --executor ray"),
    "slurm": (but("--slurm", "slurm_partition=gpu"), 2, "--slurm belongs to --executor slurm"),
    "slurm parameter": (
        (*but("--slurm", "gpu"), "--executor", "slurm"),
        2,
        "--slurm gpu: write NAME=VALUE",
    ),
    "time": (but("--max-time", "soon"), 2, "--max-time soon: write a number and a unit"),
    "no time": (but("--max-time", "0h"), 2, "--max-time 0h"),
    "memory": (but("--max-memory", "16 pigs"), 2, "--max-memory 16 pigs"),
    "data": (but("--data", "tile"), 2, "did you mean tiles"),
    "data parameter": (but("--data", "scenes:m=3"), 2, "no parameter of data set 'scenes'"),
    "too few pairs": (but("--data", "scenes:n=20"), 3, "too few pairs"),
    "data folder": (but("--data", "folder:absent"), 2, "absent does not exist"),
    "data folder unnamed": (but("--data", "folder"), 2, "folder:PATH"),
    "base": (but("--base", "absent"), 4, "no base model folder at absent"),
    "base file": (but("--base", __file__), 4, "no base model folder"),
    "base on the hub": (
        (*but("--base", "nobody/nothing"), "--offline"),
        4,
        "base nobody/nothing is no folder and not in",
    ),
    "variant": (but("--variant", "fp16"), 2, "no weights of variant fp16 in unet; it has plain"),
    "plugin folder": (but("--plugins", "absent"), 2, "absent does not exist"),
    "option": (("run", *OK, "--sed", "1"), 2, "--sed"),
    "option without value": (("run", "--attack"), 2, "--attack"),
    "verb": (("rum",), 2, "rum"),
    "list what": (("list", "attack"), 2, "did you mean attacks"),
    "list nothing": (("list",), 2, "what"),
    "show": (("show", "clid"), 2, "did you mean clid_th"),
    "run id": (("resume", "abc", "--store", "."), 2, "no run named 'abc'"),
    "nothing to resume": (("resume", "--store", "."), 2, "nothing to resume"),
    "nothing to rank": (("leaderboard", "--from-store", "--store", "."), 2, "no rows to rank"),
    "store": (("list", "runs", "--store", "strore"), 2, "--store strore: no such folder"),
    "plan": (("plan", "--defense", "nonee", "--attack", "loss"), 2, "did you mean none"),
}


def fails(ended: Any, code: int, told: str) -> None:
    assert ended.code == code, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert told in line


@pytest.fixture
def bench(
    cli: Callable[..., Any], tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return lambda *words: cli(*(tiny_base if word == BASE else word for word in words))


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word_is_one_line_and_nothing_runs(
    bench: Callable[..., Any], tmp_path: Path, what: str
) -> None:
    words, code, told = WRONG[what]
    fails(bench(*words), code, told)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("words", [("list", "attacks"), ("--help",)])
def test_a_full_output_and_a_closed_one(words: tuple[str, ...]) -> None:
    run = f"{sys.executable} -m bench {' '.join(words)}"
    environment = os.environ | environment_of_bench()
    for where, code, said in (("/dev/full", 5, "no space left for the output"), ("&-", 0, "")):
        done = subprocess.run(
            ["sh", "-c", f"{run} >{where}"], capture_output=True, text=True, env=environment,
            check=False,
        )  # fmt: skip
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_no_word_at_all_shows_the_help(shell: Callable[..., Any]) -> None:
    ended = shell()
    assert ended.code == 2
    assert "leaderboard" in ended.out + ended.err
    assert "error:" not in ended.err


def folder_of_pictures(root: Path, n: int = 70) -> Path:
    import numpy as np
    from PIL import Image

    root.mkdir()
    lines = []
    for number in range(n):
        noise = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number}.png")
        lines.append({"file_name": f"{number}.png", "text": f"noise number {number}"})
    write_lines(root, lines)
    return root


def write_lines(root: Path, lines: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / "metadata.jsonl").write_text(text)


def test_text_given_as_an_image(bench: Callable[..., Any], tmp_path: Path) -> None:
    root = folder_of_pictures(tmp_path / "pictures")
    (root / "3.png").write_text("not a picture")
    fails(bench(*but("--data", f"folder:{root}")), 3, "metadata.jsonl:4: '3.png' cannot be decoded")


def test_captions_missing(bench: Callable[..., Any], tmp_path: Path) -> None:
    root = folder_of_pictures(tmp_path / "pictures")
    write_lines(root, [{"file_name": f"{number}.png"} for number in range(70)])
    fails(bench(*but("--data", f"folder:{root}")), 3, "metadata.jsonl:1: has no caption")


def test_no_metadata(bench: Callable[..., Any], tmp_path: Path) -> None:
    root = folder_of_pictures(tmp_path / "pictures")
    (root / "metadata.jsonl").unlink()
    fails(bench(*but("--data", f"folder:{root}")), 2, "holds neither metadata.jsonl")


def test_a_picture_missing(bench: Callable[..., Any], tmp_path: Path) -> None:
    root = folder_of_pictures(tmp_path / "pictures")
    (root / "5.png").unlink()
    fails(bench(*but("--data", f"folder:{root}")), 3, "'5.png' is missing")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_base_without_a_part(
    bench: Callable[..., Any], tiny_base: Path, tmp_path: Path, part: str
) -> None:
    broken = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    shutil.rmtree(broken / part)
    fails(bench(*but("--base", str(broken))), 2, f"lacks {part}")


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"sample_size": "eight"}'])
@pytest.mark.parametrize("part", ["unet", "vae"])
def test_a_base_with_a_strange_configuration(
    bench: Callable[..., Any], tiny_base: Path, tmp_path: Path, part: str, content: str
) -> None:
    broken = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    (broken / part / "config.json").write_text(content)
    fails(bench(*but("--base", str(broken))), 2, "config.json")


def test_a_base_without_weights(bench: Callable[..., Any], tiny_base: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    (broken / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    fails(bench(*but("--base", str(broken))), 2, "has no weights in vae")


def test_weights_of_a_base_cut_short(
    bench: Callable[..., Any], tiny_base: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    os.truncate(broken / "unet" / "diffusion_pytorch_model.safetensors", 1000)
    ended = bench(*but("--base", str(broken)), "--recipe", "quick", "--workers", "1")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "cannot be loaded" in ended.err.splitlines()[-1]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_store_that_cannot_be(bench: Callable[..., Any], tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    fails(bench("run", *OK, "--store", tmp_path / place), 2, "--store")


def test_a_leaderboard_that_cannot_be_written(bench: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    entries = Path(__file__).parents[2] / "leaderboards" / "entries"
    fails(bench("leaderboard", "--entries", entries, "--out", tmp_path / "file"), 2, "--out")


def test_a_leaderboard_of_no_entries(bench: Callable[..., Any], tmp_path: Path) -> None:
    fails(bench("leaderboard", "--entries", tmp_path), 2, "no rows to rank")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--defense nonee --attack loss", "asked.txt:2: no defense named 'nonee'"),
        ("--defens none --attack loss", "asked.txt:2: No such option"),
        ("--help", "no request"),
        ("--defense none", "name at least one"),
        ("--defense none --attack loss --store x", "--store belongs to the whole run"),
        ("--defense 'none", "No closing quotation"),
        ("# nothing", "holds no request"),
    ],
)
def test_a_line_of_a_request_file_that_is_wrong(
    bench: Callable[..., Any], tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "asked.txt").write_text(f"# a remark\n{line}\n")
    fails(bench("run", "--requests", tmp_path / "asked.txt"), 2, said)


def test_a_request_file_that_is_none(bench: Callable[..., Any], tmp_path: Path) -> None:
    fails(bench("plan", "--requests", tmp_path), 2, "cannot be read")
    (tmp_path / "asked.txt").write_text("--defense none --attack loss\n")
    fails(
        bench("run", "--requests", tmp_path / "asked.txt", "--defense", "none"),
        2,
        "leave out --defense",
    )
    fails(
        bench("run", "--requests", tmp_path / "asked.txt", "--preset", "quick"),
        2,
        "leave out --preset",
    )
