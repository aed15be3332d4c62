"""Pages of a board: from entries to Markdown that can be read without the docs.

One board for each (data, base, recipe, augmentation, canaries), since only those models compare. No
figure is typed by hand: the same entries give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

from bench.boards import attacks, defenses
from bench.boards.gates import told
from bench.boards.pictures import sampled
from bench.boards.standing import SEEDS_OF_A_BOARD, Standing, sizes, standing
from bench.boards.tables import Format, markdown, render
from bench.entries.entry import Entry
from bench.entries.schema import SEEDS
from bench.entries.sealing import digest
from bench.stats.worst import Resamples

USUAL = {"base_label": "mini-sd", "recipe": "mini", "augment": "default"}
"""What a board's name leaves out."""
CANARIES = 64
"""As the published boards have."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One file of a board: a title, what was measured, and tables under headings.

    A second table of the same rows has the columns that `beside` names for a heading: as one it
    would be too wide to read.
    """

    name: str
    title: str
    notes: Sequence[str]
    tables: Mapping[str, Sequence[Record]]
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def markdown(self) -> str:
        """The page; what entries say is escaped."""
        parts = [f"# {_safe(self.title)}", *map(_safe, self.notes)]
        for heading, records in self.tables.items():
            second = self.beside.get(heading, ())
            first = [column for column in records[0] if column not in second[1:]]
            parts += [f"## {_safe(heading)}", _table(records, first)]
            if second:
                parts += [f"## {_safe(heading)}: further figures", _table(records, second)]
        return "\n\n".join(parts) + "\n"


def pages(entries: Iterable[Entry]) -> list[Page]:
    """Two pages for every board that these entries give, by name."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_key(entry), []).append(entry)
    boards: dict[str, list[Entry]] = {}
    # Of boards that would share a name the largest has it, whoever comes beside.
    for key, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        name = _name(group[0])
        boards[f"{name}-{digest(list(key))[:8]}" if name in boards else name] = group
    return [page for name in sorted(boards) for page in _pages(name, boards[name])]


def render_pages(made: Sequence[Page], form: Format) -> str:
    """All tables as one, for programs."""
    records = [
        {"page": page.name, "table": heading, **record}
        for page in made
        for heading, some in page.tables.items()
        for record in some
    ]
    columns = list(dict.fromkeys(column for record in records for column in record))
    notes = [f"{page.name}: {note}" for page in made for note in page.notes]
    return render([{c: r.get(c) for c in columns} for r in records], form, notes)


def _key(entry: Entry) -> tuple[str, ...]:
    target = entry.about.target
    identities = (target.data_identity, target.base_identity)
    recipe = str(sorted(target.recipe.items()))
    return (*identities, recipe, target.augment, str(target.canaries), str(target.sampling))


def _name(entry: Entry) -> str:
    target = entry.about.target
    told = {"base_label": target.base_label, "recipe": str(target.recipe["name"]),
            "augment": target.augment}  # fmt: skip
    parts = [target.data_label, *(told[k] for k, usual in USUAL.items() if told[k] != usual)]
    parts += [] if target.canaries == CANARIES else [f"canaries {target.canaries}"]
    return "-".join(map(_slug, parts))


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text).strip("-.").lower() or "x"


def _pages(name: str, entries: Sequence[Entry]) -> list[Page]:
    draws = cache(Resamples.of)
    seeds = _seeds(entries)
    standings = [standing(entry, draws(tuple(sizes(entry))), seeds) for entry in entries]
    standings.sort(key=lambda one: one.entry.name)
    target = entries[0].about.target
    what = f"{target.data_label} (base {target.base_label}, recipe {target.recipe['name']}, "
    what += f"augmentation {target.augment})"
    measured = _measured([one for one in standings if not one.other_seeds])
    ranked = defenses.ranked(standings)
    tables = {
        "Defenses": ranked,
        "The undefended frontier": defenses.frontier_points(standings),
        "Gates of the splits": _gates(standings),
    }
    board = Page(
        f"{name}-defenses",
        f"Defenses against membership inference on {what}",
        [*measured, *_defense_notes(standings)],
        {heading: records for heading, records in tables.items() if records},
        {"Defenses": defenses.FURTHER},
    )
    found = attacks.ranked(standings)
    if not found:
        return [board]
    notes = [*measured, *_attack_notes(standings)]
    title = f"Membership inference attacks on {what}"
    return [board, Page(f"{name}-attacks", title, notes, {"Attacks": found})]


def _seeds(entries: Sequence[Entry]) -> list[int]:
    """Those that are asked for; where no entry has them, those that most have."""
    found = [tuple(entry.seeds) for entry in entries]
    most = max(found.count(one) for one in found)
    return list(SEEDS if SEEDS in found else min(one for one in found if found.count(one) == most))


def _measured(standings: Sequence[Standing]) -> list[str]:
    about, pairs = standings[0].entry.about, sizes(standings[0].entry)
    members = about.target.canaries // 2
    devices = dict.fromkeys(
        str(seed.made.get("device", "unknown"))
        for one in standings
        for seed in one.entry.about.seeds
    )
    canaries = (
        f" Every target was also trained on {members} mislabelled pairs (canaries); {members} "
        "others were not trained on."
        if members
        else ""
    )
    trainings = f"{len(pairs)} trainings (seeds)" if len(pairs) > 1 else "1 training (seed)"
    few = min(len(one.entry.seeds) for one in standings) < SEEDS_OF_A_BOARD
    return [
        f"Measured on {trainings} of each model, each with {pairs[0][0]} "
        f"members and {pairs[0][1]} hold-outs of its own split, by version "
        f"{about.provenance.bench} of this suite, trained on {', '.join(devices)}.{canaries} "
        "Percentages with 95 % intervals.",
        "TPR@1%FPR: share of members found while at most 1 % of hold-outs are accused; chance is "
        f"{100 * standings[0].chance.value:.1f}. AUC: 50 is chance.",
        *(["Provisional: some models have fewer than three seeds."] if few else []),
    ]


def _defense_notes(standings: Sequence[Standing]) -> list[str]:
    band = max((one.chance for one in standings), key=lambda chance: chance.high)
    first = standings[0].entry
    utility, target = first.utility(first.seeds[0]), first.about.target
    made = sampled(target.sampling.model_dump(), target.resolution)
    return [
        "As many attackers as stand on a row here, knowing nothing, stay at or below "
        f"{100 * band.high:.1f} TPR@1%FPR in 39 of 40 rows; such figures are shown as `≤ chance`.",
        f"KID and FD64: {utility['n']} samples ({made}) on EfficientNet-Lite0 features, no FID; "
        f"real pictures against real ones: KID {utility['kid_effnet_floor']['value']:.4f}, FD64 "
        f"{utility['fd_effnet64_floor']:.2f}. Lower is better.",
        "A defense stands by the worst attack on it (column `worst attack`): chosen on one half of "
        "the pairs, measured on the other, both ways (two names where the halves choose "
        "differently), and chosen anew in every replicate of the interval (seeds, then pairs).",
        "`frontier gain`: points of TPR@1%FPR that undefended training, stopped earlier or at "
        "another learning rate, leaks more at the same KID. At 0 or below: stop earlier instead. "
        "Undefended models have 0 where they make the frontier and less where another of them is "
        "better. It orders the board: `rank` is one more than the number of models that are surely "
        "better (paired 99 % interval). "
        "`AUC` and `AUC gain`: of the attack that is worst by AUC, chosen in the same way. 500 "
        "pairs tell it far better than TPR@1%FPR; it averages over pairs that are easy and hard to "
        "find, and orders nothing. `tier`: A is beaten by no other in both leak and KID.",
        "`ε ≥`: empirical lower bound on epsilon by that attack, 95 %: attack and threshold chosen "
        "on one half, tested on the other. No guarantee, and few pairs cannot show a large one.",
        "`canary TPR`: share of the mislabelled members above every mislabelled hold-out, under "
        "the attack found worst on the other pairs. `seed SD`: how far trainings differ.",
    ]


def _attack_notes(standings: Sequence[Standing]) -> list[str]:
    known = {one.label for one in standings if one.at_end}
    present = [label for label in attacks.TARGETS if label in known]
    lacking = [label for label in attacks.TARGETS if label not in known]
    return [
        f"Mean over the same targets for every attack: {', '.join(present)}"
        + (f" (not measured: {', '.join(lacking)})" if lacking else "")
        + ". `rank`: one more than the number of attacks that are surely better (paired 99 % "
        "interval). `queries`: U-Net rows a pair on the target, and on the attacker's own "
        "reference. `power-query front`: no other finds more for as few.",
        f"`surely found on {present[0]}`: the least TPR@1%FPR that can be claimed of each of its "
        "trainings, whatever the scores are distributed like (97.5 % each).",
    ]


def _gates(standings: Sequence[Standing]) -> list[Record]:
    """Verdicts on the splits that all models share."""
    found: dict[str, Record] = {}
    for one in standings:
        for seed in one.entry.about.seeds:
            for gate in seed.gates:
                figures = (gate.model_extra or {}).get("figures", {})
                line = {
                    "seed": seed.seed,
                    "gate": gate.name,
                    "passed": "yes" if gate.passed else "NO",
                    "figure": told(gate.name, figures).partition(": ")[2],
                }
                found.setdefault(str(line), line)
    return sorted(found.values(), key=lambda line: (line["seed"], line["gate"]))


def _safe(text: str) -> str:
    """Quotes as they are: no attribute is ever written."""
    return escape(text, quote=False)


def _table(records: Sequence[Record], columns: Sequence[str]) -> str:
    cells = [[_safe(str(record.get(column, ""))) for column in columns] for record in records]
    return markdown(columns, cells)
