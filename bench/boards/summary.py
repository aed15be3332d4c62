"""What a finished run prints: one line a row, and what an honest reader needs beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bench.boards.doubts import suspicions
from bench.boards.pictures import (
    inception_figures,
    inception_notes,
    sampling_figures,
    sampling_notes,
)
from bench.boards.rows import Figure, Row, common_clip
from bench.stats.roc import null_asr


def tables(rows: Sequence[Row]) -> list[list[dict[str, Any]]]:
    """The rows as they are printed: percentages with 95 % intervals.

    One table where every target met one attack; else one of attacks, in the order of the paper's
    Table 2, and one of what each target is worth.
    """
    several, clip = len({row.epoch for row in rows}) > 1, common_clip(rows)
    targets = {(row.defense, row.epoch): row for row in reversed(rows)}
    if len(targets) == len(rows):
        return [[_who(row, several) | _attacked(row) | _worth(row, clip) for row in rows]]
    return [
        [_who(row, several) | _attacked(row) | _apart(row) for row in rows],
        [
            {k: v for k, v in _who(row, several).items() if k != "attack"}
            | _worth(row, clip, _overlap(row))
            for row in reversed(targets.values())
        ],
    ]


def figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as plain numbers (shares, not percentages), for `--format json` and `csv`."""
    clip = common_clip(rows)
    return [_figures(row, clip) for row in rows]


def _figures(row: Row, clip: str | None) -> dict[str, Any]:
    utility = next(iter(row.results.values()))["utility"]
    found = {
        "tpr_at_1fpr": row.figure("tpr"),
        "auc": row.figure("auc"),
        "asr": row.figure("asr"),
        "base_auc": row.figure("auc", "base_control"),
        "auc_touched": row.figure("auc_touched"),
        "auc_untouched": row.figure("auc_untouched"),
        "canary_tpr": row.figure("tpr", "canaries"),
        "canary_auc": row.figure("auc", "canaries"),
        "kid_effnet": row.utility("kid_effnet"),
        "held_out_loss": row.utility("held_out_loss"),
        "clip_score": row.clip_score(clip),
        "clip_gain": row.clip_score(clip, "clip_gain"),
        "clip_score_real": row.clip_score(clip, "clip_score_real"),
        "clip_gain_real": row.clip_score(clip, "clip_gain_real"),
    }
    flat: dict[str, Any] = {
        "data": row.card["data_label"],
        "base": row.card["base_label"],
        "recipe": row.card["recipe"]["name"],
        "augment": row.card["augment"],
        "defense": row.defense,
        "attack": row.attack,
        "epoch": row.epoch,
        "seeds": " ".join(map(str, sorted(row.results))),
        "members": row.n[0],
        "holdouts": row.n[1],
        "view": row.card["view"],
        "replays": row.card["replays"],
        "pool": row.card["pool"],
        "shadow": row.card["shadow"],
        "shadow_defense": row.card["shadow_defense"],
        "query_precision": row.card.get("precision", "fp32"),
        "queries": row.asked("queries"),
        "reference_queries": row.asked("reference_queries"),
    }
    for name, figure in found.items():
        flat |= {f"{name}{end}": None for end in ("", "_low", "_high", "_seed_sd")}
        if figure:
            value, low, high = figure.estimate[:3]
            flat |= {name: value, f"{name}_low": low, f"{name}_high": high}
            flat[f"{name}_seed_sd"] = figure.seed_sd
    return flat | {
        "tpr_swapped": row.mean("tpr_swapped", "attack"),
        "asr_oracle": row.mean("asr_oracle", "attack"),
        "fd_effnet64": row.mean("fd_effnet64"),
        "fd_effnet": row.mean("fd_effnet"),
        "utility_n": utility["n"],
        "kid_effnet_floor": utility["kid_effnet_floor"]["value"],
        "fd_effnet64_floor": utility["fd_effnet64_floor"],
        "fd_effnet_floor": utility["fd_effnet_floor"],
        "clip": found["clip_score"] and clip,
        "precision": row.share("precision"),
        "recall": row.share("recall"),
        "precision_real": row.share("precision_real"),
        "recall_real": row.share("recall_real"),
        **inception_figures(row),
        **sampling_figures(row),
        "board": row.card["recipe"]["board"],
        "control_holds": row.control is None or row.control.passed,
        "blind_captions_auc": row.gate_figure("blind captions", "auc"),
        "blind_pictures_auc": row.gate_figure("blind pictures", "auc"),
        "gates_failed": "; ".join(row.failed),
    }


def _who(row: Row, with_epoch: bool) -> dict[str, Any]:
    who: dict[str, Any] = {"defense": row.defense, "attack": row.attack}
    return who | ({"epoch": row.epoch} if with_epoch else {})


def _attacked(row: Row) -> dict[str, Any]:
    return {
        "ASR": _percent(row.figure("asr")),
        "AUC": _percent(row.figure("auc")),
        "TPR@1%FPR": _percent(row.figure("tpr")) or "refused (n < 437)",
        "queries": row.queries,
        "base AUC": _percent(row.figure("auc", "base_control")) or "-",
    }


def _apart(row: Row) -> dict[str, Any]:
    """What is read beside the paper's tables, not ranked."""
    return {
        "TPR swapped": f"{100 * row.mean('tpr_swapped', 'attack'):.1f}",
        "ASR oracle": f"{100 * row.mean('asr_oracle', 'attack'):.1f}",
        "seeds": len(row.results),
    }


def _worth(
    row: Row, clip: str | None, beside: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    kid, loss = row.utility("kid_effnet"), row.utility("held_out_loss")
    score = row.clip_score(clip)
    return {
        "KID": kid.text(digits=4) if kid else "-",
        "FD64": f"{row.mean('fd_effnet64'):.2f}",
        "CLIPScore": score.text(digits=2) if score else "-",
        **beside,
        "held-out loss": loss.text(digits=4) if loss else "-",
        "seeds": len(row.results),
    }


def _overlap(row: Row) -> dict[str, Any]:
    """What stays out of the one table of a single attack, which is wide enough."""
    shares = {name: row.share(name) for name in ("precision", "recall")}
    return {k: "-" if share is None else f"{100 * share:.1f}" for k, share in shares.items()}


def _percent(figure: Figure | None) -> str:
    return figure.text(scale=100, digits=1) if figure else ""


def notes(rows: Sequence[Row]) -> list[str]:
    """Chance level, sample sizes, floors, and every reason to doubt the figures."""
    first = rows[0]
    result = next(iter(first.results.values()))
    attack, utility = result["attack"], result["utility"]
    floor = utility["kid_effnet_floor"]
    lines = [
        f"n = {first.n[0]} members + {first.n[1]} hold-outs a seed; chance: AUC 50, ASR 50 "
        f"(below {100 * null_asr(*first.n, len(first.results)):.1f} in 19 of 20), "
        f"TPR@1%FPR {100 * attack['tpr_null']:.2f}. Intervals: 95 %.",
        f"KID, FD64: {utility['n']} samples on EfficientNet-Lite0 features (not FID); real against "
        f"real: KID {floor['value']:.4f} [{floor['low']:.4f}, {floor['high']:.4f}], "
        f"FD64 {utility['fd_effnet64_floor']:.2f}.",
    ]
    lines += [*sampling_notes(rows), *alignment_notes(rows)]
    if len(rows) > len({(row.defense, row.epoch) for row in rows}):
        lines += overlap_notes(rows)
        lines.append(
            "TPR swapped: share of hold-outs rejected where 1 % of members are, what the paper's "
            "evaluator reports. ASR oracle: threshold chosen on the target's own labels, which "
            "adds about 2 points at n = 500."
        )
    if any(row.card["shadow"] == "resplit" for row in rows):
        lines.append("Shadow: the target's own pairs dealt anew (resplit); not for boards.")
    if attack["tpr_quality"] == "warned":
        lines.append("TPR@1%FPR is coarse below 2,500 a class: the interval says how coarse.")
    if attack["tpr_quality"] == "refused":
        lines.append("TPR@1%FPR is refused below 437 a class: no interval would exclude 0.")
    if any(len(row.results) < 3 for row in rows):
        lines.append(
            "Fewer than three seeds: another training may move these figures (--seeds 0,1,2)."
        )
    if any(not row.card["recipe"]["board"] for row in rows):
        lines.append(
            f"Recipe '{first.card['recipe']['name']}' shows the path only: NOT for boards."
        )
    lines += [*inception_notes(rows), *_canaries(rows), *_touched(rows), *_realised(rows)]
    return lines + suspicions(rows)


def alignment_notes(rows: Sequence[Row]) -> list[str]:
    """Beside what CLIPScore is read, and every reason to doubt the CLIP that gives it."""
    clip = common_clip(rows)
    first = next((row for row in rows if row.clip_score(clip)), None)
    if first is None or clip is None:
        return []
    names = ("clip_gain", "clip_score_real", "clip_gain_real")
    gain, real, most = (first.clip_score(clip, name) for name in names)
    if not (gain and real and most):
        return []
    lines = [
        f"CLIPScore: samples and their captions under CLIP {clip[:8]}, above other captions by "
        f"{gain.text(digits=2)} ({first.defense}). Real pictures: {real.text(digits=2)}, above by "
        f"{most.text(digits=2)}."
    ]
    if most.estimate.low <= 0:
        lines.append(
            "That CLIP is not seen to know a real picture's own caption from others: on this data "
            "a higher CLIPScore is not shown to be better (--clip FOLDER takes another CLIP)."
        )
    if next(iter(first.aligned[clip].values()))["clip"]["own_text_tower"]:
        lines.append(
            "That CLIP's text tower is the model's own text encoder: no independent judge, since "
            "the two share their mistakes."
        )
    return lines


def overlap_notes(rows: Sequence[Row]) -> list[str]:
    """What precision and recall are shares of, and what real pictures reach."""
    first = rows[0]
    precision, recall = first.share("precision_real"), first.share("recall_real")
    if precision is None or recall is None:
        return []
    n = next(iter(first.results.values()))["utility"]["n"]
    return [
        f"Precision, recall: {n} samples against {n} real pictures, 3 nearest neighbours, same "
        f"features; real against real: {100 * precision:.1f}, {100 * recall:.1f}."
    ]


def _realised(rows: Sequence[Row]) -> list[str]:
    """What each defense really did, as its parts noted it."""
    told: dict[str, None] = {}
    for row in rows:
        training = next(iter(row.results.values()))["training"]
        for title, facts in (training["notes"] if training else {}).items():
            words = ", ".join(f"{name} {_short(value)}" for name, value in facts.items())
            told[f"{title}: {words}."] = None
    return list(told)


def _canaries(rows: Sequence[Row]) -> list[str]:
    """How the mislabelled pairs fare, by row."""
    found = []
    for row in rows:
        tpr, auc = row.figure("tpr", "canaries"), row.figure("auc", "canaries")
        if tpr and auc:
            first = next(iter(row.results.values()))["canaries"]
            found.append(
                f"{row.defense}/{row.attack}: {tpr.text(100, 0)} % of {first['members']} "
                f"mislabelled members score above all {first['holdouts']} mislabelled hold-outs "
                f"(chance {100 * first['tpr_null']:.1f}), AUC {auc.text(100, 1)}."
            )
    return found


def _touched(rows: Sequence[Row]) -> list[str]:
    """Members whose caption the defense changed beside those it left alone."""
    lines = []
    for row in rows:
        changed, kept = row.figure("auc_touched"), row.figure("auc_untouched")
        if changed and kept:
            lines.append(
                f"{row.defense}/{row.attack}: AUC of members with a changed caption "
                f"{changed.text(100, 1)}, of the others {kept.text(100, 1)}."
            )
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
