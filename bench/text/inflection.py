"""English inflection: the forms of a lemma, irregular ones from WordNet's exception lists.

The synonym table is built with it, so that "holds" becomes "contains" and "boxes" becomes "cases".
A form that cannot be told without grammar ("began" or "begun" for "started") is left out rather
than guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

Irregular = Mapping[str, tuple[str, ...]]
"""Lemma -> its irregular forms, one mapping a part of speech."""

TAGS = {
    "n": "noun, singular",
    "ns": "noun, plural",
    "v": "verb, base form",
    "vz": "verb, third person",
    "vg": "verb, -ing",
    "vd": "verb, past and past participle",
    "a": "adjective",
    "r": "adverb",
}
VOWELS = "aeiou"
UNCHANGED = frozenset(
    [
        "bet",
        "bid",
        "burst",
        "cast",
        "cost",
        "cut",
        "hit",
        "hurt",
        "let",
        "put",
        "quit",
        "rid",
        "set",
        "shed",
        "shut",
        "split",
        "spread",
        "thrust",
    ]
)
"""Verbs whose past is their base form; WordNet's lists need not name them."""

LIKE_BASE = frozenset({"become", "come", "outrun", "overcome", "run"})
"""Verbs whose participle is their base form but whose past is not."""


def forms(lemma: str, pos: str, irregular: Irregular) -> dict[str, str]:
    """Tag -> form, for the tags of `TAGS` that this lemma has without doubt.

    Of a compound ("filing cabinet", "give off") the noun's last and the verb's first word change.
    """
    if pos in {"a", "r"}:
        return {pos: lemma}
    if " " in lemma:
        head, _, rest = lemma.rpartition(" ") if pos == "n" else lemma.partition(" ")
        if pos == "n":
            return {tag: f"{head} {form}" for tag, form in forms(rest, pos, irregular).items()}
        return {tag: f"{form} {rest}" for tag, form in forms(head, pos, irregular).items()}
    if pos == "n":
        return {"n": lemma, "ns": plural(lemma, irregular)}
    found = {"v": lemma, "vz": third_person(lemma), "vg": gerund(lemma, irregular)}
    past = past_participle(lemma, irregular)
    return found | ({"vd": past} if past else {})


def plural(noun: str, irregular: Irregular) -> str:
    """`box` -> `boxes`, `knife` -> `knives`."""
    return next(iter(irregular.get(noun, ())), _with_s(noun))


def third_person(verb: str) -> str:
    """`carry` -> `carries`, `go` -> `goes`."""
    return {"have": "has", "be": "is"}.get(verb) or _with_s(verb)


def gerund(verb: str, irregular: Irregular) -> str:
    """`make` -> `making`, `cut` -> `cutting`, `tie` -> `tying`."""
    for form in irregular.get(verb, ()):
        if form.endswith("ing") and form != verb:
            return form
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


def past_participle(verb: str, irregular: Irregular) -> str | None:
    """The past form if the participle is the same, else None: `held` yes, `took`/`taken` no."""
    if verb in UNCHANGED:
        return verb
    if verb in LIKE_BASE:
        return None
    others = [f for f in irregular.get(verb, ()) if not f.endswith(("ing", "s")) and f != verb]
    if len(others) > 1:
        return None
    return others[0] if others else _with_ed(verb)


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in VOWELS:
        return word[:-1] + "ies"
    if word.endswith("o") and word[-2:-1] not in VOWELS and len(word) < 5:
        return word + "es"
    return word + "s"


def _with_ed(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in VOWELS:
        return verb[:-1] + "ied"
    return verb + "ed"
