"""`bench report` as a person meets it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bench.runs import saved
from bench.store import Store


@pytest.fixture(scope="module")
def run_id(ran):
    [run] = saved(Store(ran.store))
    return run.id


def test_tables_hold_what_the_run_printed(cli, ran, run_id):
    ended = cli("report", run_id, "--store", ran.store)
    assert (ended.code, ended.err) == (0, "")
    for line in ran.out.splitlines():
        assert line in ended.out
    assert f"bench report {run_id} --html" in ended.out


@pytest.mark.parametrize("form", ["json", "csv", "md"])
def test_other_formats(cli, ran, run_id, form):
    ended = cli("report", run_id, "--store", ran.store, "--format", form)
    assert (ended.code, ended.err) == (0, "")
    if form == "md":
        assert "## Gates" in ended.out
        return
    records = (
        json.loads(ended.out)["rows"]
        if form == "json"
        else list(csv.DictReader(io.StringIO(ended.out)))
    )
    assert {"rows", "roc", "exposed", "gates", "provenance"} <= {r["section"] for r in records}


def test_the_page_of_a_real_run_is_one_file(cli, ran, run_id, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = cli("report", run_id, "--store", ran.store, "--html")
    assert ended.code == 0, ended.err
    assert ended.out == f"report-{run_id}.html\n"
    assert "pictures of the training set" in ended.err
    text = (tmp_path / f"report-{run_id}.html").read_text(encoding="utf-8")
    assert "ROC under clid_th" in text
    assert "data:image/png" in text
    assert "refused (n &lt; 437)" in text
    assert not [word for word in ("http://", "https://") if word in text]


def test_without_pictures_nothing_is_said_of_them(cli, ran, run_id, tmp_path):
    words = ("--store", ran.store, "--html", "--no-pictures", "--out", tmp_path / "r.html")
    ended = cli("report", run_id, *words)
    assert ended.code == 0
    assert "training set" not in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "no run named 'nobody'"),
        (("{run}", "--out", "x.html"), "add --html"),
        (("{run}", "--html", "--format", "json"), "leave out --format json"),
        (("{run}", "--html", "--out", "{folder}"), "is a folder; name a file"),
        (("{run}", "--html", "--out", "{folder}/no/where.html"), "name another file with --out"),
        ((), "Missing argument 'runs'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(cli, ran, run_id, tmp_path, words, said):
    filled = [word.format(run=run_id, folder=tmp_path) for word in words]
    ended = cli("report", *filled, "--store", ran.store)
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
