"""Entries from people who mean harm, or erred: each is refused with one line that fits.

No traceback, exit code 3, and never much memory, whatever a file claims of itself.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from bench.entries.arrays import file_sha256, write_scores
from bench.entries.validate import validate
from bench.plugins import combined_digest
from bench.stages.metrics import attack_figures
from bench.trust.permutation import permutation_gate

MOST = 200 * 2**20


def npy(header: bytes, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + body


def header(descr: str = "'<f4'", shape: str = "(42,)", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return text.encode().ljust(117) + b"\n"


def with_member(entry, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    """The same file but for one member's content, or with one more member."""
    made = io.BytesIO()
    with zipfile.ZipFile(entry.scores) as old, zipfile.ZipFile(made, "w", method) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == name else old.read(info))
        if name not in old.namelist():
            new.writestr(name, content)
    entry.put(made.getvalue())


TARGET = "seed0-attacker0-target.npy"


# --- the folder ---------------------------------------------------------------------------------
def extra_file(e):
    (e.folder / "run.sh").write_text("rm -rf /")


def extra_folder(e):
    (e.folder / ".git").mkdir()


def linked_document(e):
    e.document.rename(e.folder.parent.parent / "elsewhere.json")
    e.document.symlink_to(e.folder.parent.parent / "elsewhere.json")


def linked_scores(e):
    e.scores.unlink()
    e.scores.symlink_to("/etc/passwd")


def linked_folder(e):
    e.folder.rename(e.folder.parent.parent / "elsewhere")
    e.folder.symlink_to(e.folder.parent.parent / "elsewhere")


def odd_folder(e):
    e.folder.rename(e.folder.with_name("none\x1b[2J"))


def no_scores(e):
    e.scores.unlink()


def no_document(e):
    e.document.unlink()


def pipe(e):
    e.document.unlink()
    os.mkfifo(e.document)


def folder_for_file(e):
    e.scores.unlink()
    e.scores.mkdir()


def large_document(e):
    e.document.write_text(" " * (3 << 20))


def large_scores(e):
    with e.scores.open("r+b") as handle:
        handle.truncate(3 << 30)  # sparse: costs no disk


# --- entry.json as text -------------------------------------------------------------------------
def not_a_number(e):
    e.replace('"threshold": ', '"threshold": NaN, "x": ')


def too_large_number(e):
    e.replace('"threshold": ', '"threshold": 1e999, "x": ')


def huge_integer(e):
    e.replace('"seed": 0', '"seed": ' + "9" * 5000)


def double_key(e):
    e.replace('"name": "none"', '"name": "none", "name": "none"')


def deep(e):
    e.replace('"authors": []', '"authors": ' + "[" * 100_000 + "]" * 100_000)


def rather_deep(e):
    e.edit(lambda d: d["seeds"][0]["made"].update(x=json.loads("[" * 40 + "]" * 40)))


def many_small(e):
    e.document.write_text('{"a": [' + ",".join(["{}"] * 150_000) + "]}")


def no_text(e):
    e.document.write_bytes(b"\xff\xfe" + e.document.read_bytes())


def cut(e):
    e.document.write_text(e.document.read_text()[:-40])


def a_list(e):
    e.document.write_text("[]")


# --- the schema ---------------------------------------------------------------------------------
def edit(change, **how):
    return lambda e: e.edit(change, **how)


def outcome(document, seed=0, attacker=0):
    return document["seeds"][seed]["attackers"][attacker]


unknown_key = edit(lambda d: d.update(rank=1))
number_as_text = edit(lambda d: outcome(d).update(threshold="0.5"))
flag_as_number = edit(lambda d: d.update(provisional=0))
no_licence = edit(lambda d: d.pop("licence"))
another_version = edit(lambda d: d.update(schema_version=2))
another_name = edit(lambda d: d.update(name="reph"))
climbing_name = edit(lambda d: d.update(name="../../none"))
html_title = edit(lambda d: d.update(title="<script>alert(1)</script>"))
html_notes = edit(lambda d: d["seeds"][0]["training"].update(notes="<img src=x>"))
table_title = edit(lambda d: d.update(title="a | b"))
control_sign = edit(lambda d: d["attackers"][0].update(label="loss\x1b[2J"))
new_line = edit(lambda d: d.update(title="none\nfine: fine"))
turned_text = edit(lambda d: d.update(authors=["\u202egnorw"]))
half_sign = edit(lambda d: d.update(authors=["\ud800"]))
hidden_key = edit(lambda d: d["seeds"][0]["made"].update({"a\u200b": 1}))
script_link = edit(lambda d: d.update(paper="javascript:alert(1)"))
too_many_attackers = edit(lambda d: d.update(attackers=d["attackers"] * 100))
twice_attacked = edit(lambda d: d["attackers"].append(d["attackers"][0]))
seed_twice = edit(lambda d: d["seeds"].append(d["seeds"][0]))
outcome_missing = edit(lambda d: d["seeds"][1]["attackers"].pop())


# --- digests ------------------------------------------------------------------------------------
def changed_utility(e):
    document = json.loads(e.document.read_text())
    document["seeds"][1]["utility"]["kid_effnet"]["value"] += 1e-6
    e.document.write_text(json.dumps(document, indent=1) + "\n")


changed_figure = edit(lambda d: outcome(d, 2, 1)["metrics"]["auc"].update(value=0.5), seal=False)
changed_recipe = edit(lambda d: d["target"]["recipe"].update(lr=1.0), seal=False)
digest_missing = edit(lambda d: d["digests"].pop("target"), seal=False)


def a_blank(e):
    e.replace('"name": "none"', '"name":  "none"')


def other_scores(e):
    e.scores.write_bytes(e.scores.read_bytes() + b"x")


# --- scores.npz ---------------------------------------------------------------------------------
def no_zip(e):
    e.put(b"PK\x03\x04 nothing")


def bomb(e):
    with_member(e, TARGET, npy(header(shape="(500000000,)"), bytes(200 << 20)))


def claims_much(e):
    with_member(e, TARGET, npy(header(shape="(536870912,)"), bytes(168)))


def claims_more_than_numbers_hold(e):
    with_member(e, TARGET, npy(header(shape="(99999999999999999999,)"), bytes(168)))


def header_of_2_gb(e):
    with_member(e, TARGET, b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + header() + bytes(168))


def objects(e):
    made = io.BytesIO()
    np.save(made, np.array([{"a": 1}] * 42, dtype=object), allow_pickle=True)
    with_member(e, TARGET, made.getvalue())


def a_pickle(e):
    with_member(e, TARGET, b"cos\nsystem\n(S'true'\ntR.")


def code_in_header(e):
    with_member(e, TARGET, npy(b"__import__('os').system('true')".ljust(117) + b"\n", bytes(168)))


def unknown_member(e):
    with_member(e, "weights.npy", b"")


def climbing_member(e):
    with_member(e, "../../../tmp/x.npy", b"")


def absolute_member(e):
    with_member(e, "/etc/cron.d/x\n.npy", b"")


def double_member(e):
    made = io.BytesIO(e.scores.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(made, "a") as packed:
        packed.writestr(TARGET, b"")
    e.put(made.getvalue())


def missing_member(e):
    e.repack(lambda arrays: arrays.pop("seed1-members"))


def many_members(e):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for number in range(60_000):
            packed.writestr(f"{number}", b"")
    e.put(made.getvalue())


def packed_otherwise(e):
    with_member(e, TARGET, b"x", zipfile.ZIP_LZMA)


def encrypted(e):
    data = bytearray(e.scores.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    e.put(bytes(data))


def bad_checksum(e):
    data = bytearray(e.scores.read_bytes())
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    e.put(bytes(data))


def wrong_size(e):
    data = bytearray(e.scores.read_bytes())
    data[data.index(b"PK\x01\x02") + 24] ^= 4
    e.put(bytes(data))


def a_matrix(e):
    with_member(e, TARGET, npy(header(shape="(21, 2)"), bytes(168)))


def by_columns(e):
    with_member(e, TARGET, npy(header(order="True"), bytes(168)))


def complex_numbers(e):
    e.repack(lambda a: a.update({TARGET[:-4]: a[TARGET[:-4]].astype(np.complex64)}))


def many_fields(e):
    with_member(e, TARGET, npy(header("[('a', '<f4')]"), bytes(168)))


def flags_of_seven(e):
    n = len(np.load(e.scores, allow_pickle=False)["seed0-members"])
    with_member(e, "seed0-members.npy", npy(header("'|b1'", f"({n},)"), b"\x07" * n))


def no_letters(e):
    n = len(np.load(e.scores, allow_pickle=False)["seed0-ids"])
    with_member(e, "seed0-ids.npy", npy(header("'<U1'", f"({n},)"), b"\xff" * 4 * n))


def too_few_scores(e):
    e.repack(lambda a: a.update({TARGET[:-4]: a[TARGET[:-4]][:-1]}))


def no_scores_at_all(e):
    e.repack(lambda a: a.update({TARGET[:-4]: a[TARGET[:-4]][:0]}))


# --- what the scores say ------------------------------------------------------------------------
def repack(change, name="seed0-attacker0-target"):
    def spoil(e):
        e.repack(lambda arrays: arrays.update({name: change(arrays[name].copy())}))

    return spoil


def put(where, value):
    def change(array):
        array[where] = value
        return array

    return change


nan_score = repack(put(3, np.nan))
infinite_score = repack(put(3, -np.inf))
nan_in_base = repack(put(0, np.nan), "seed2-attacker1-base")
one_score_moved = repack(put(slice(0, 20), 1e6))
constant = repack(lambda a: np.full_like(a, 0.5))
swapped = repack(lambda a: ~a, "seed1-members")
strange_id = repack(lambda a: np.array([*a[:-1], "zzz"]), "seed0-ids")
hidden_id = repack(lambda a: np.array(["\x00\x07", *a[1:]]), "seed0-ids")
unsorted = repack(lambda a: a[::-1], "seed0-ids")
one_member_more = repack(lambda a: put(np.flatnonzero(~a)[0], True)(a), "seed0-members")
nobody_out = repack(lambda a: a | True, "seed0-members")


def first_id_twice(e):
    e.repack(lambda a: a.update({"seed0-ids": np.array([a["seed0-ids"][1], *a["seed0-ids"][1:]])}))


def a_pair_less(e):
    def change(arrays):
        for name in arrays:
            if name.startswith("seed0"):
                arrays[name] = arrays[name][1:]

    e.repack(change)


def scores_of_another_seed(e):
    def change(arrays):
        arrays["seed1-attacker0-target"] = arrays["seed0-attacker0-target"]

    e.repack(change)


def upside_down(e):
    """Somebody's own pictures, an attack that finds members, and labels the wrong way round."""
    with np.load(e.scores, allow_pickle=False) as stored:
        arrays = dict(stored)
    name, member = "seed0-attacker0-target", arrays["seed0-members"]
    arrays[name] = (np.arange(len(member)) * 0.01 - member).astype("<f4")
    data = write_scores(arrays)
    e.scores.write_bytes(data)
    scores = arrays[name].astype(float)

    def change(document):
        document["target"].update(data=None, data_label="mine", data_identity="1" * 64)
        first = outcome(document)
        figures = attack_figures(scores[member], scores[~member], first["threshold"])
        first["metrics"] = figures
        document["files"]["scores.npz"] = file_sha256(data)

    e.edit(change)


better_auc = edit(lambda d: outcome(d, 1)["metrics"]["auc"].update(value=0.999, high=1.0))
hair_better = edit(lambda d: outcome(d)["metrics"].update(
    asr_oracle=outcome(d)["metrics"]["asr_oracle"] + 1e-8))  # fmt: skip
better_control = edit(lambda d: outcome(d)["base_control"]["auc"].update(value=0.5, low=0, high=1))
other_threshold = edit(lambda d: outcome(d).update(threshold=1e3))
more_pairs = edit(lambda d: outcome(d)["metrics"].update(members=500))
figure_above_one = edit(lambda d: outcome(d)["metrics"]["auc"].update(value=1.5))
tpr_given = edit(lambda d: outcome(d)["metrics"].update(tpr=outcome(d)["metrics"]["auc"]))
large_integer = edit(lambda d: outcome(d).update(threshold=10**400))
number_of_samples_as_text = edit(lambda d: d["target"]["sampling"].update(n="15"))
fixed_threshold = edit(lambda d: outcome(d).update(threshold_from="fixed"))
target_threshold = edit(lambda d: outcome(d).update(threshold_from="target"))


# --- the circumstances --------------------------------------------------------------------------
other_split = edit(lambda d: d["seeds"][0].update(split="0" * 64))
other_data = edit(lambda d: d["target"].update(data="tiles"))
much_data = edit(lambda d: d["target"].update(data="scenes:n=999999999999"))
data_by_path = edit(lambda d: d["target"].update(data="folder:/etc"))
data_unnamed = edit(lambda d: d["target"].update(data=None))
other_recipe = edit(lambda d: d["target"]["recipe"].update(epochs=1, keep=[]))
own_recipe = edit(lambda d: d["target"]["recipe"].update(name="mine"))
no_recipe = edit(lambda d: d["target"].update(recipe={}))
quick_recipe = edit(lambda d: d["target"]["recipe"].update(board=False))
no_checkpoint = edit(lambda d: d["target"].update(at=77))
named_base = edit(lambda d: d["target"].update(base_label="mini-sd"))
provisional = edit(lambda d: d.update(provisional=True))


def gate(document, name, seed=1):
    return next(one for one in document["seeds"][seed]["gates"] if one["name"] == name)


def rate(document, **figures):
    gate(document, "blind captions")["figures"].update(figures)


failed_gate = edit(lambda d: gate(d, "duplicates").update(
    passed=False, figures={"pictures": 2, "captions": 0, "of_target": 1}))  # fmt: skip
passed_with_duplicates = edit(lambda d: gate(d, "duplicates")["figures"].update(pictures=2))
passed_though_seen = edit(lambda d: rate(d, auc=0.99, auc_p=0.005))
figures_that_clash = edit(lambda d: rate(d, auc=0.99))
gates_left_out = edit(lambda d: d["seeds"][1]["gates"].clear())
gate_twice = edit(lambda d: d["seeds"][1]["gates"].append(gate(d, "duplicates")))
gate_of_another_name = edit(lambda d: gate(d, "duplicates").update(name="[audited](x)"))
gate_without_figures = edit(lambda d: gate(d, "duplicates").update(figures={}))
own_gate_left_out = edit(lambda d: outcome(d)["gates"].clear())
own_gate_written = edit(lambda d: outcome(d)["gates"][0]["figures"].update(mean=0.5))
control_dropped = edit(lambda d: outcome(d).update(base_control=None))


def control_that_finds(e):
    """Scores of the base that tell members: recomputed, sealed, and a strong attacker is gone."""
    with np.load(e.scores, allow_pickle=False) as stored:
        arrays = dict(stored)
    document = json.loads(e.document.read_text())
    for seed in range(3):
        name, member = f"seed{seed}-attacker1-base", arrays[f"seed{seed}-members"]
        arrays[name] = (member + np.linspace(0, 0.9, len(member))).astype("<f4")
        one, scores = outcome(document, seed, 1), arrays[name].astype(float)
        one["base_control"] = attack_figures(scores[member], scores[~member], one["threshold"])
    e.document.write_text(json.dumps(document))
    e.put(write_scores(arrays))


no_kid = edit(lambda d: d["seeds"][0]["utility"].pop("kid_effnet"))
utility_outside = edit(lambda d: d["seeds"][0]["utility"]["held_out_loss"].update(value=-1.0))
another_clip = edit(lambda d: d["seeds"][0].update(clip_digest="0" * 64))
text_for_figure = edit(lambda d: d["seeds"][0]["utility"].update(precision="high"))
notes_of_text = edit(lambda d: d["seeds"][0]["training"].update(notes="many"))
no_training = edit(lambda d: d["seeds"][2].update(training=None))
other_label = edit(lambda d: d["attackers"][0]["attack"].update(label="clid_th"))
other_attacker = edit(lambda d: d["attackers"][0].update(label="loss (defended captions)"))
other_defense = edit(lambda d: d["target"]["defense"].update(label="reph"))
other_data_label = edit(lambda d: d["target"].update(data_label="photos"))
a_captioner = edit(lambda d: d["attackers"][0].update(captioner_identity="blip"))
kid_of_nothing = edit(lambda d: d["seeds"][0]["utility"]["kid_effnet"].update(
    value=0.0, low=0.0, high=0.0))  # fmt: skip
kid_without_end = edit(lambda d: d["seeds"][0]["utility"]["kid_effnet"].update(high=1e300))
other_level = edit(lambda d: d["seeds"][0]["utility"]["kid_effnet"].update(level=0.5))
below_no_distance = edit(lambda d: d["seeds"][0]["utility"].update(fd_effnet64=-3.0))
more_samples = edit(lambda d: d["seeds"][0]["utility"].update(n=999_999))
link_for_device = edit(lambda d: d["seeds"][0]["made"].update(device="[free](x)"))
link_for_version = edit(lambda d: d["provenance"].update(bench="9 [here](x)"))
long_label = edit(lambda d: d["target"].update(data=None, data_label="x" * 200))
commit_alone = edit(lambda d: d["provenance"].update(dirty=None))
other_stages = edit(lambda d: d["target"].update(stage_versions={"x": 1}))
dealt_from_the_target = edit(lambda d: d["attackers"][0].update(
    shadow="resplit", label="loss (resplit shadow)"))  # fmt: skip
no_queries = edit(lambda d: d["attackers"][0].update(queries=0))
own_reference = edit(lambda d: d["attackers"][0].update(reference_queries=1))


def seeds_turned(e):
    e.edit(lambda d: d["seeds"].reverse())


def file_of_nobody(e):
    """A shipped attack by another hash is called and costs what the shipped one does."""

    def change(document):
        attack = document["attackers"][0]["attack"]
        attack.update(file="0" * 64, reads=[], source=combined_digest("0" * 64, []))
        document["attackers"][0].update(access="black")

    e.edit(change)


other_access = edit(lambda d: d["attackers"][0].update(access="black"))
more_queries = edit(lambda d: d["attackers"][0].update(queries=2))
other_source = edit(lambda d: d["attackers"][0]["attack"].update(source="0" * 64))
other_params = edit(lambda d: d["attackers"][0]["attack"].update(params={"secret": 1}))
unshipped_as_shipped = edit(lambda d: d["attackers"][0]["attack"].update(name="mine", label="mine"))
no_text_of_own = edit(lambda d: d["target"]["defense"]["parts"][0].update(shipped=False))
text_of_shipped = edit(lambda d: d["target"]["defense"]["parts"][0].update(text="pass"))


def two_seeds(e):
    def change(document):
        document["seeds"].pop()

    with np.load(e.scores, allow_pickle=False) as stored:
        kept = {name: stored[name] for name in stored.files if not name.startswith("seed2")}
    e.edit(change)
    e.repack(lambda arrays: [arrays.pop(name) for name in [*arrays] if name not in kept])


CORPUS = {
    extra_file: "folder: holds 'run.sh'",
    extra_folder: "folder: holds '.git'",
    linked_document: "entry.json: is a link",
    linked_scores: "scores.npz: is a link",
    linked_folder: "folder: is a link",
    odd_folder: "name 'none' is not that of the folder",
    no_scores: "scores.npz: is missing",
    no_document: "entry.json: is missing",
    pipe: "entry.json: is a link or no plain file",
    folder_for_file: "scores.npz: is a link or no plain file",
    large_document: "entry.json: 3 MB, more than the 2 MB",
    large_scores: "scores.npz: 3072 MB, more than",
    not_a_number: "NaN is no number",
    too_large_number: "'1e999' is too large",
    huge_integer: "thousands of digits",
    double_key: "key 'name' is given twice",
    deep: "nested deeper",
    rather_deep: "nested deeper",
    many_small: "schema_version is None",
    no_text: "byte 0 is not ASCII",
    cut: "is no JSON",
    a_list: "no JSON object",
    unknown_key: "entry.json rank: Extra inputs",
    number_as_text: "seeds.0.attackers.0.threshold: Input should be a valid number",
    flag_as_number: "provisional: Input should be a valid boolean",
    no_licence: "licence: Field required",
    another_version: "schema_version is 2; this bench reads 1",
    another_name: "name 'reph' is not that of the folder",
    climbing_name: "entry.json name: String should match",
    html_title: "title: holds HTML",
    html_notes: "seeds.0.training.notes: holds HTML",
    table_title: "entry.json title: String should match",
    control_sign: "attackers.0.label: holds the hidden sign U+001B",
    new_line: "title: holds the hidden sign U+000A",
    turned_text: "authors.0: holds the hidden sign U+202E",
    half_sign: "authors.0: holds the hidden sign U+D800",
    hidden_key: "seeds.0.made.a key: holds the hidden sign U+200B",
    script_link: "entry.json paper: String should match",
    too_many_attackers: "attackers: List should have at most 200",
    twice_attacked: "attacker loss is there twice",
    seed_twice: "seed 0 is there twice",
    outcome_missing: "seed 1: 2 outcomes of 3 attackers",
    changed_utility: "seed 1: utility: differs from its digest",
    changed_figure: "seed 2: attacker 1: differs from its digest",
    changed_recipe: "target: differs from its digest",
    digest_missing: "digests: 'target' is missing",
    a_blank: "line 3 is not as `bench submit` writes it",
    other_scores: "scores.npz: differs from its digest",
    no_zip: "no readable zip",
    bomb: "unpacks to more than 64 MB",
    claims_much: "536870912 values; 1 to 100,000 are read",
    claims_more_than_numbers_hold: "no plain header",
    header_of_2_gb: "no plain header",
    objects: "holds objects",
    a_pickle: "no plain header",
    code_in_header: "no plain header",
    unknown_member: "unknown member 'weights.npy'",
    climbing_member: "unknown member '../../../tmp/x.npy'",
    absolute_member: r"unknown member '/etc/cron.d/x\n.npy'",
    double_member: "is there twice",
    missing_member: "seed1-members.npy is missing",
    many_members: "far more members",
    packed_otherwise: "packed in a way",
    encrypted: "is encrypted",
    bad_checksum: "no readable zip file",
    wrong_size: "claims",
    a_matrix: "no plain header",
    by_columns: "no plain header",
    complex_numbers: "type '<c8'",
    many_fields: "no plain header",
    flags_of_seven: "flags other than true and false",
    no_letters: "seed0-ids: no text",
    too_few_scores: "41 values for 42 ids",
    no_scores_at_all: "0 values; 1 to 100,000",
    nan_score: "seed 0, attacker loss: 1 scores of the target are NaN",
    infinite_score: "1 scores of the target are NaN or infinite",
    nan_in_base: "seed 2, attacker clid_th: 1 scores of the base are NaN",
    one_score_moved: "seed 0, attacker loss: metrics.",
    constant: "all scores are the same",
    swapped: "is not among the members of the split",
    first_id_twice: "is there twice",
    strange_id: "seed 0: 'zzz' is not among the",
    hidden_id: "holds hidden signs",
    unsorted: "ids are not sorted",
    one_member_more: "22 members of the 21 in the split",
    nobody_out: "42 members and 0 hold-outs",
    a_pair_less: "of the 21 in the split",
    scores_of_another_seed: "seed 1, attacker loss: the scores are those of seed 0",
    upside_down: "clearly below chance: a sign error?",
    better_auc: "seed 1, attacker loss: metrics.auc.value is 0.999, computed",
    hair_better: "metrics.asr_oracle is",
    better_control: "base_control.auc",
    other_threshold: "metrics.asr.",
    more_pairs: "metrics.members is 500, computed 21",
    figure_above_one: "auc.value: Input should be less than or equal to 1",
    tpr_given: "metrics.tpr is",
    large_integer: "threshold: ",
    number_of_samples_as_text: "target.sampling.n: Input should be a valid integer",
    fixed_threshold: "is told to be fixed, not shadow",
    target_threshold: "threshold_from: Input should be 'shadow' or 'fixed'",
    other_split: "seed 0: the split's digest",
    other_data: "target.data: data_identity is not that of tiles",
    much_data: "more than the 6,000 scenes",
    data_by_path: "no embedded data set is named 'folder:/etc'",
    data_unnamed: "embedded pictures that are not named",
    other_recipe: "differs from the shipped tiny",
    own_recipe: "'mine' is not shipped",
    no_recipe: "is no recipe",
    quick_recipe: "is not for boards",
    no_checkpoint: "keeps no checkpoint at epoch 77",
    named_base: "is not that of the shipped mini-sd",
    provisional: "provisional: is true though no seed is missing",
    two_seeds: "seeds: lacks 2",
    failed_gate: "seed 1: gate duplicates failed",
    passed_with_duplicates: "seed 1: gate duplicates says other than its figures",
    passed_though_seen: "seed 1: gate blind captions says other than its figures",
    figures_that_clash: "seed 1: gate blind captions: its figures do not go together",
    gates_left_out: "seed 1: gate blind captions is there 0 times",
    gate_twice: "seeds.1.gates: List should have at most 3",
    gate_of_another_name: "seeds.1.gates.2: Input tag",
    gate_without_figures: "figures.pictures: Field required",
    own_gate_left_out: "seed 0, attacker loss: gate label permutation is missing",
    own_gate_written: "seed 0, attacker loss: label permutation.figures.mean is 0.5, computed",
    control_dropped: "seed0-attacker0-base",
    control_that_finds: "attacker clid_th: gate base control failed: AUC 1.000",
    no_kid: "seeds.0.utility.kid_effnet: Field required",
    utility_outside: "utility.held_out_loss lies outside",
    another_clip: "clip_digest is not that of the CLIP",
    text_for_figure: "seeds.0.utility.precision",
    notes_of_text: "training.notes",
    no_training: "seed 2: training does not go with",
    other_label: "is labelled 'clid_th', not 'loss'",
    other_attacker: "knows what would call it 'loss'",
    other_defense: "target.defense.label: 'reph' is not made of its parts",
    other_data_label: "scenes:n=120 is labelled 'photos'",
    kid_of_nothing: "utility.kid_effnet has no credible interval",
    kid_without_end: "utility.kid_effnet has no credible interval",
    other_level: "has an interval at 0.5, not 0.95",
    below_no_distance: "utility.fd_effnet64 is -3, no distance",
    more_samples: "utility of 999999 of",
    link_for_device: "made.device: Value error, is no plain name",
    link_for_version: "provenance.bench: String should match",
    long_label: "target.data_label: ",
    commit_alone: "provenance: has a commit and no dirty flag",
    other_stages: "target.stage_versions: names other stages",
    dealt_from_the_target: "attacker loss (resplit shadow): its shadow was dealt",
    no_queries: "0 queries, of the shipped attack 1",
    own_reference: "1 queries of a reference do not go with",
    seeds_turned: "seeds 2, 1, 0 are not in rising order",
    file_of_nobody: "access is black, of the shipped attack grey",
    a_captioner: "captioner_identity belongs to",
    other_access: "access is black, of the shipped attack grey",
    more_queries: "2 queries, of the shipped attack 1",
    other_source: "source is not the hash of",
    other_params: "params are not those of the shipped loss",
    unshipped_as_shipped: "no attack 'mine' is shipped",
    no_text_of_own: "must bring its text",
    text_of_shipped: "brings no text of its own",
}
NAMES = {value: name for name, value in globals().items() if callable(value) and value in CORPUS}


def test_the_untouched_entry_is_fine(spoilt, cli):
    ended = cli("validate", spoilt.folder)
    assert (ended.code, ended.out) == (0, "none: fine (attackers 3, seeds 3)\n")


@pytest.mark.parametrize(("spoil", "line"), CORPUS.items(), ids=NAMES.get)
def test_it_is_refused_with_one_fitting_line(spoil, line, spoilt, cli):
    spoil(spoilt)
    tracemalloc.start()
    try:
        ended = cli("validate", spoilt.folder.parent)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ended.code == 3, ended
    (said,) = ended.out.splitlines()
    assert said.startswith(("none: ", r"'none\x1b[2J': "))
    assert line in said
    assert "; " in said
    assert said.isprintable()
    assert "Traceback" not in ended.out + ended.err
    assert peak < MOST


def test_figures_of_many_pairs_are_recomputed_with_their_bootstrap(spoilt, cli):
    """Above 437 a class there is a TPR@1%FPR; to the last of nine digits."""
    enlarge(spoilt, 500)
    assert cli("validate", spoilt.folder).code == 0
    spoilt.edit(lambda d: outcome(d, 2, 1)["metrics"]["tpr"].update(
        high=outcome(d, 2, 1)["metrics"]["tpr"]["high"] + 2e-9))  # fmt: skip
    (said,) = cli("validate", spoilt.folder).out.splitlines()
    assert "seed 2, attacker clid_th: metrics.tpr.high is" in said


def enlarge(e, n: int) -> None:
    """As if it were of somebody's own 2 n pictures, with scores that are normal numbers."""
    rng, arrays = np.random.default_rng(0), {}
    document = json.loads(e.document.read_text())
    document["target"].update(data=None, data_label="mine", data_identity="1" * 64)
    for seed in range(3):
        member = rng.permutation(2 * n) < n
        arrays[f"seed{seed}-ids"] = np.array([f"p{i:05}" for i in range(2 * n)])
        arrays[f"seed{seed}-members"] = member
        for one in document["seeds"][seed]["gates"]:
            if one["name"].startswith("blind"):
                one["figures"].update(members=n, holdouts=n)
        for number, one in enumerate(document["seeds"][seed]["attackers"]):
            for of, place in (("target", "metrics"), ("base", "base_control")):
                if one[place] is None:
                    continue
                scores = (rng.normal(size=2 * n) + (of == "target") * member).astype("<f4")
                arrays[f"seed{seed}-attacker{number}-{of}"] = scores
                double = scores.astype(float)
                one[place] = attack_figures(double[member], double[~member], one["threshold"])
                if of == "target":
                    one["gates"] = [permutation_gate(double, member)._asdict()]
    e.document.write_text(json.dumps(document))
    e.put(write_scores(arrays))


def changed_text(document):
    part = document["target"]["defense"]["parts"][0]
    part["text"] = part["text"].replace("Shouts", "Whispers")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (changed_text, "defense loud: text is not what file is the hash of"),
        (
            lambda d: d["target"]["defense"]["parts"][0].update(shipped=True, text=None),
            "no defense 'loud' is shipped",
        ),
        (
            lambda d: (
                d["target"]["defense"].update(label="dp_sgd"),
                d["target"]["defense"]["parts"][0].update(label="dp_sgd"),
            ),
            "is labelled 'dp_sgd', which does not begin with its name",
        ),
    ],
    ids=["changed_text", "said_to_be_shipped", "called_like_a_shipped_one"],
)
def test_a_plugin_of_one_s_own_is_held_to_its_hash(change, line, own, cli):
    own.edit(change)
    ended = cli("validate", own.folder)
    assert ended.code == 3
    (said,) = ended.out.splitlines()
    assert line in said


@pytest.mark.parametrize("name", ["entry.json", "scores.npz"])
def test_one_byte_changed_anywhere_is_told(name, spoilt):
    path = spoilt.folder / name
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 150, replace=False):
        data = bytearray(whole)
        data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(data))
        found = validate([spoilt.folder]).problems
        assert found, f"byte {place} of {name} changed and nobody noticed"
    path.write_bytes(whole)
    assert not validate([spoilt.folder]).problems


def test_one_digit_changed_anywhere_is_told(spoilt):
    text = spoilt.document.read_text()
    digits = [place for place, sign in enumerate(text) if sign.isdigit()]
    for place in np.random.default_rng(1).choice(digits, 150, replace=False):
        other = str((int(text[place]) + 1) % 10)
        spoilt.document.write_text(text[:place] + other + text[place + 1 :])
        assert validate([spoilt.folder]).problems, f"character {place}"
