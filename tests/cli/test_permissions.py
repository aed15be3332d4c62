"""What may not be read, and homes of users who do not exist, are one line."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from conftest import command_line, environment_of_bench
from folders import write_pairs
from safetensors.torch import load_file, save_file

from bench.data import scenes

WEAK = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
WEAK += ["--inh-caps=-dac_override,-dac_read_search"]
"""Starts a command of root's that may not read everything."""


@pytest.fixture
def weak():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("everything may be read by this user")

    def run(*words):
        start = WEAK if os.geteuid() == 0 else []
        done = subprocess.run(
            [*start, *command_line(*words)], capture_output=True, text=True, check=False,
            env=os.environ | environment_of_bench(), timeout=100,
        )  # fmt: skip
        return done.returncode, done.stderr

    return run


@pytest.fixture
def place(tmp_path, tiny_base):
    pairs = scenes.pairs(n=120)
    write_pairs(tmp_path / "data", pairs.select(pairs.ids[:40]))
    write_pairs(tmp_path / "others", pairs.select(pairs.ids[40:80]))
    shutil.copytree(tiny_base, tmp_path / "base")
    unet = load_file(tiny_base / "unet" / "diffusion_pytorch_model.safetensors")
    save_file(unet, tmp_path / "ft.safetensors")
    yield tmp_path
    for path in tmp_path.glob("**"):
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("plan", "data/metadata.jsonl"),
        ("plan", "data"),
        ("plan", "base/vae/diffusion_pytorch_model.safetensors"),
        ("plan", "base/unet"),
        ("audit", "base/unet"),
        ("audit", "ft.safetensors"),
    ],
)
def test_what_may_not_be_read_is_one_line(weak, place, verb, what):
    (place / what).chmod(0)
    words = ["--data", f"folder:{place}/data", "--base", place / "base", "--recipe", "quick"]
    words += ["--defense", "none"]
    if verb == "audit":
        target = place / what.removesuffix("/unet")
        words = ["--members", f"folder:{place}/data", "--holdouts", f"folder:{place}/others"]
        words += ["--target", target] + (["--base", place / "base"] if target.is_file() else [])
    code, said = weak(verb, *words, "--store", place / "store", "--attack", "loss")
    assert code == 2, said
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    assert what.rpartition("/")[2] in line
    assert "Permission denied" in line


@pytest.mark.parametrize(
    ("option", "named", "code"),
    [("--data", "folder:~nobody-here/x", 2), ("--base", "~nobody-here/x", 4),
     ("--target", "~nobody-here/x", 4), ("--store", "~nobody-here/x", 0)],
)  # fmt: skip
def test_the_home_of_nobody_is_a_place_where_nothing_is(
    cli, place, monkeypatch, option, named, code
):
    monkeypatch.chdir(place)
    words = {"--data": "scenes:n=120", "--base": place / "base", "--recipe": "quick"}
    words |= {"--defense": "none", "--attack": "loss", "--store": place / "store"}
    if option == "--target":
        sides = {"--members": "scenes", "--holdouts": "scenes:seed=1"}
        ended = cli("audit", option, named, *(word for pair in sides.items() for word in pair))
    else:
        ended = cli("plan", *(word for pair in (words | {option: named}).items() for word in pair))
    assert ended.code == code
    assert "Traceback" not in ended.err
    if code:
        (line,) = ended.err.splitlines()
        assert "~nobody-here/x" in line


def test_a_report_that_cannot_be_written_is_told_before_the_work(weak, place):
    (place / "closed").mkdir()
    (place / "closed").chmod(0o555)
    words = ["--members", f"folder:{place}/data", "--holdouts", f"folder:{place}/others"]
    words += ["--target", place / "base", "--attack", "loss", "--store", place / "store"]
    code, said = weak("audit", *words, "--out", place / "closed" / "r.md")
    assert code == 2
    (line,) = said.splitlines()
    assert "closed/r.md cannot be written: Permission denied; name another place" in line
    assert not (place / "store").exists()
