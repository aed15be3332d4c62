"""Turns of phrase with another of the same meaning: a small table of rules, written by hand.

A rule is a regular expression and its alternatives. What a group named `pre` matches is context and
stays as it is. Rules are tried in order; what one has put in place is closed to those after it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from bench.text.connectives import AMOUNTS, CONTRACTIONS, LINKS


class Rule(NamedTuple):
    r"""What to look for, and what may stand instead (`\1` refers to the pattern's groups)."""

    pattern: re.Pattern[str]
    alternatives: tuple[str, ...]


# An opening noun phrase without a verb: what follows "with" belongs to the thing itself.
NOUN_PHRASE = (
    r"(?P<pre>(?:^|[.:] )(?:An?|Some|This is an?|It is an?) "
    r"(?:(?!\w+(?:ed|ing|en|ly)\b|made\b|cut\b|set\b|that\b|which\b|is\b|are\b|was\b|has\b|and\b)"
    r"[\w'-]+ ){1,6})"
)
# Not the past habit of "people used to think" and "it used to be".
PURPOSE = (
    r"(?<!it )(?<!that )(?<!which )(?<!who )(?<!you )(?<!they )(?<!people )(?<!ists )(?<!ers )"
)
# A first sentence that is a noun phrase: no finite verb before its first clause or comma ends.
NO_VERB = (
    r"(?=(?:(?!\b(?:is|are|was|were|has|have|had|can|could|will|would|may|might|does|do|seems?|"
    r"looks?|appears?|makes?|stands?|lies|sits?|comes?|keeps?|holds?|needs|goes|runs|gets)\b"
    r"|\w+[^su ]s (?:this|the|an?|its|your|you|his|her|their|it|them)\b)"
    r"[^.,;:])*(?: (?:that|which|who)\b|[.,;]|$))"
)
COUNTED = r"(?=an? |no |one |two |three |four |five |six |eight |several |many |numerous |lots )"

OPENINGS = (
    (r"(?P<pre>: )this is (an?) (?=\w)", (r"here is \2 ", r"here we have \2 ", r"\2 ")),
    (r"\bthis is (an?|the) (?=\w)", (r"it is \1 ",)),
    (r"(?P<pre>: )it is (an?) (?=\w)", (r"this is \2 ", r"here is \2 ")),
    (r"(?P<pre>: )it's (an?) (?=\w)", (r"this is \2 ", r"here is \2 ")),
    (
        r"(?P<pre>^[^:.]{1,40}: )(an?) (?=\w)" + NO_VERB,
        (r"this is \2 ", r"it is \2 ", r"here is \2 ", r"here we have \2 "),
    ),
    (
        r"(?P<pre>\. )(has|can|could|will|may|might) (?!(?:you|i|we|it|they|this|the)\b)",
        (r"it \2 ",),
    ),
    (
        r"(?P<pre>\. )(makes|contains|covers|requires|provides|comes|smells|looks|tastes|holds|"
        r"keeps|protects|produces|offers|fires|gives) (?=[a-z])",
        (r"it \2 ", r"this \2 "),
    ),
    (r"(?P<pre>\. )(?:useful|handy) for\b", ("it is useful for", "it is handy for")),
    (r"(?P<pre>\. )(good|perfect|ideal|great|excellent) for\b", (r"it is \2 for",)),
    (r"(?P<pre>\. )use it to (?=[a-z])", ("you can use it to ", "it can be used to ")),
    (r"^there (?:is|are) (an?|some|two|three|many|several) (?=\w)", (r"one can see \1 ",)),
)
PARTS = (
    (
        NOUN_PHRASE + r"with (?!(?:it|them|him|her|the|your|their|you|me|us|this|that|respect)\b)",
        ("featuring ", "having "),
    ),
    (r", with (?=an? |two |three |four )", (", having ",)),
    (r"\b(it|this one|which) has " + COUNTED, (r"\1 comes with ", r"\1 possesses ")),
    (r"\bthat (?:has|have) " + COUNTED, ("with ", "featuring ")),
    (r"\bfeatures (?=an? |two |three |four |several )", ("has ",)),
    (r"\bequipped with\b", ("fitted with", "outfitted with")),
    (r"\bfilled with\b", ("full of",)),
    (r"\bfull of\b", ("filled with",)),
    (r"\bcovered in\b", ("covered with",)),
    (r"\bcovered with\b", ("covered in",)),
    (r"\bconsisting of\b", ("comprising", "made up of")),
    (r"\bconsists of\b", ("comprises", "is made up of")),
    (r"\bcontaining\b", ("holding", "with")),
    (r"\bmounted on\b", ("fixed on",)),
    (r"\bon top of\b", ("atop",)),
    (r"\battached to\b", ("fastened to", "fixed to")),
    (r"\balong with\b", ("together with",)),
    (r"\bnext to\b", ("beside",)),
    (r"\b(?:beneath|underneath) (?=\w)", ("below ",)),
    (r"\binside (?:of )?(?=an? |the |it\b|its )", ("within ",)),
    (r"\bnear (?=an? |the )", ("close to ",)),
    (r"\bin the middle of\b", ("at the center of", "amid")),
    (r"\baround (?=an? |the |its |your )", ("round ",)),
    (r"\bheld together (with|by)\b", (r"kept together \1",)),
    (r"\bwearing (?=an? )", ("dressed in ",)),
)
WHO = (
    (
        r"\b(man|woman|boy|girl|person|child|lady|guy|player|surfer|rider) (?=[a-z]{2,}ing\b)",
        (r"\1 who is ",),
    ),
    (
        r"\b(people|men|women|boys|girls|children|kids|players) (?=[a-z]{2,}ing\b)",
        (r"\1 who are ",),
    ),
    (
        r"\b(dogs|cats|birds|horses|cows|sheep|elephants|bears) (?=[a-z]{2,}ing\b)",
        (r"\1 that are ",),
    ),
    (r"\b(dog|cat|bird|horse|cow|elephant|bear|train|bus) (?=[a-z]{2,}ing\b)", (r"\1 that is ",)),
    (r"\ba close[- ]up of\b", ("a close view of",)),
    (r"\ba couple of\b", ("a pair of",)),
)
USES = (
    (r"\bmade (?:of|from|out of)\b", ("constructed from", "crafted from", "fashioned from")),
    (r"\bmade by\b", ("produced by", "manufactured by")),
    (r"\b(can|could) be used\b", (r"\1 be employed", r"\1 be utilized")),
    (r"\bused (for|as|in|by|with|on|against|during|when)\b", (r"employed \1", r"utilized \1")),
    (PURPOSE + r"\bused to (?!be\b|have\b|like\b|it\b)(?=[a-z])", ("employed to ", "utilized to ")),
    (
        r"(?P<pre>\b(?:is|are|was|were|been|be) (?:[a-z]+ly |often )?)used\b(?! to)",
        ("employed", "utilized"),
    ),
    (r"\bprovided (?:that )?(?=(?:you|it|they|there|the|he|she)\b)", ("as long as ",)),
    (r"\b(?:designed|intended|meant) (to|for)\b", (r"intended \1", r"meant \1", r"built \1")),
    (r"\bdesigned by\b", ("developed by", "created by")),
    (r"\b(?:perfect|ideal) for\b", ("ideally suited for", "just right for")),
    (r"\b(?:useful|handy) for\b", ("handy for", "of use for")),
    (r"\bgood for\b(?! you)", ("well suited for",)),
    (r"\bsuitable for\b", ("fit for", "appropriate for")),
    (r"\beasy to\b", ("simple to",)),
    (r"\bserves as\b", ("functions as",)),
    (r"\bfound (in|on) (?=[a-z])", (r"encountered \1 ",)),
    (r"\bknown as\b", ("called",)),
    (r"\bcalled (?=an? |the |')", ("known as ",)),
    (r"\bfavou?red by\b", ("popular with",)),
    (r"\bwithout (an?|any) (?=[a-z])", ("with no ", r"lacking \1 ")),
    (r"\bfor use (in|by|with|as)\b", (r"to be used \1",)),
    (r"\bready to\b", ("all set to", "prepared to")),
    (r"\bdue to\b", ("because of", "owing to")),
    (r"\binstead of\b", ("rather than", "in place of")),
    (r"\bsuch as\b", ("like",)),
    (r"\bas well as\b", ("along with", "and also")),
    (r"\bin order to\b", ("to",)),
)
ABILITIES = (
    (r"\byou can wear it if you like\b", ("you may wear it if you wish", "wear it if you want")),
    (r"\bit won't provide any effects\b", ("it will not have any effect", "it has no effects")),
    (
        r"\byou can (?!see\b|probably|easily|also|always|only|still)(?=[a-z])",
        ("you are able to ", "it is possible to "),
    ),
    (
        r"\byou could (?!probably|easily|also|always)(?=[a-z])",
        ("you might ", "it would be possible to "),
    ),
    (r"\bif you (?:like|want)\b(?! to)", ("if you wish", "if so desired")),
    (r"\bit can be\b", ("it may be",)),
    (r"\bcould be\b", ("might be",)),
    (r"\bcan be (?=[a-z]+ed\b)", ("may be ",)),
    (r"\bit may (?=have|be)", ("it might ",)),
    (r"\btry to\b", ("attempt to",)),
    (r"\btries to\b", ("attempts to",)),
    (r"\btrying to\b", ("attempting to",)),
    (r"\bappears to\b", ("seems to",)),
    (r"\bseems to\b", ("appears to",)),
    (r"\blooks like (?=an? )", ("resembles ", "looks similar to ")),
    (r"\bcan be seen\b", ("is visible",)),
    (r"\bmakes (?=an? (?:good|great|decent|poor|excellent|fine|nice)\b)", ("is ",)),
)


@cache
def rules() -> tuple[Rule, ...]:
    """All rules in the order in which they are tried."""
    groups = (PARTS, OPENINGS, WHO, USES, ABILITIES, AMOUNTS, LINKS, CONTRACTIONS)
    return tuple(
        Rule(re.compile(pattern, re.IGNORECASE), alternatives)
        for group in groups
        for pattern, alternatives in group
    )
