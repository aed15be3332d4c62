"""More turns of phrase: how much, how clauses are joined, what is contracted (see `phrases`)."""

from __future__ import annotations

# A noun before a relative "that", not "so that", "believe that", "than that", "all that" ...
ANTECEDENT = (
    r"(?P<pre>\b(?!(?:so|knows?|believed?|means?|fact|appears|seems|suggests?|shows?|think|says?|"
    r"such|than|all|everything|nothing|anything|something|only|one|those|people|person|man|woman|"
    r"someone|and|but|is|are|was|of|in|to|for|like|with)\b)[a-z]+ )"
)
MEASURE = r"(?=small|large|big|heavy|weak|thin|thick|wide|long|short|hot|cold|hard|soft|old)"

AMOUNTS = (
    (r"\b(?:a lot|lots) of\b", ("plenty of", "a great deal of")),
    (r"\ba number of\b", ("several",)),
    (r"\ba variety of\b", ("a range of", "an assortment of")),
    (r"\ball (?:kinds|sorts) of\b", ("every kind of", "many kinds of")),
    (r"\bsome (?:sort|kind) of\b", ("a sort of", "a kind of")),
    (r"\bone of the most\b", ("among the most",)),
    (r"\b(an?|the) can of\b", (r"\1 tin of",)),
    (r"\ba handful of\b", ("a fistful of",)),
    (r"(?<!quite )\ba bit\b(?! of)", ("a little", "slightly")),
    (r"(?<!how )(?<!so )\bmany (?=[a-z]+s\b)", ("numerous ", "lots of ")),
    (r"(?<!the )\bseveral (?=[a-z]+s\b)", ("a number of ",)),
    (r"\bmore than (?=\d|one |two |three |a few )", ("over ",)),
    (r"\btoo " + MEASURE, ("overly ", "excessively ")),
    (r"(?<!to )\bthe size of (an?)\b", (r"as big as \1",)),
    (r"\babout (?=the size|as big|half|\d)", ("roughly ", "approximately ")),
    (r"\blarger\b", ("bigger",)),
    (r"\bbigger\b", ("larger",)),
    (r"\bnot very\b", ("not particularly",)),
    (r"\btype(s?) of\b", (r"kind\1 of", r"sort\1 of")),
    (r"(?<!the )\bvery (?=[a-z])", ("really ", "extremely ")),
    (r"(?<!not )\bquite (?=[a-z]+[^ns]\b)(?!an? )", ("rather ",)),
)
LINKS = (
    (ANTECEDENT + r"that (is|are|was|were|can|could|will|would|may|might)\b", (r"which \2",)),
    (ANTECEDENT + r"that (?=has been|have been|had been)", ("which ",)),
    (r", but (?=(?:it|this|they|you|he|she)\b)", (", yet ", ", though ")),
    (r", but (?=(?:not|still|is|can|also|will|has)\b)", (", yet ",)),
    (r"(?P<pre>(?:^|[.:] ))while (?!\w+ing\b)", ("although ",)),
    (
        r"(?P<pre>(?:^|[.,;:] )(?:(?!between\b|both\b)[^.,;: ]+ )+?[a-z]+) and"
        r"(?= (?!(?:more|others?|not|then|so|all|still|such)\b)[a-z]+(?:[.,;]|$))",
        (" as well as",),
    ),
    (r", and (?=(?:is|can|has)\b(?! also))", (", and also ",)),
    (r", like (?=an? )", (", similar to ",)),
    (r"\bis now\b", ("is currently",)),
    (r"\bmuch (?=more|less|better|larger|bigger|smaller|stronger)", ("far ",)),
    (r"\bmore than likely\b", ("very likely",)),
    (r"\ba touch (?=more|less)", ("slightly ",)),
    (r"\buntil (?=you|it|the|they)", ("till ",)),
    (r"\bthough (?=it|they|you|not)", ("although ",)),
    (r"(?<!the )\bmost of the\b", ("the majority of the",)),
    (r"\bat least (?=one|two|three|\d)", ("no less than ",)),
    (r"\beven though\b", ("although",)),
    (r"\bbecause (?!of)", ("since ",)),
    (r"\bas soon as\b", ("once",)),
    (r"\bsince then\b", ("from then on",)),
    (r"\beach other\b", ("one another",)),
    (r"\bat once\b", ("simultaneously",)),
    (r"\bno longer\b", ("not any longer",)),
    (r"\bis the only one of its kind\b", ("is one of a kind", "is the sole one of its kind")),
    (r"\ball over the world\b", ("across the globe", "throughout the world")),
    (r"\bin the world\b", ("on earth",)),
    (r"\ball over the\b", ("throughout the",)),
    (r"\bbetter than nothing\b", ("preferable to nothing",)),
)
CONTRACTIONS = (
    (r"\b(it|that|this|there|here|he|she|what)'s (?!been|got|\w+ed\b)", (r"\1 is ",)),
    (r"\bit's been\b", ("it has been",)),
    (r"\b(you|they|we)'re\b", (r"\1 are",)),
    (r"\b(you|they|we|i)'ve\b", (r"\1 have",)),
    (r"\b(you|they|we|i|it|that|this)'ll\b", (r"\1 will",)),
    (r"\bcan't\b", ("cannot",)),
    (r"\bwon't\b", ("will not",)),
    (r"\b(is|are|was|were|do|does|did|has|have|had|could|would|should)n't\b", (r"\1 not",)),
    (r"(?P<pre>(?:^|[.:,;] |\bbut |\bthough |\bwhile )(?:it|that)) is(?= [a-z])", ("'s",)),
    (r"\bcannot be\b", ("can't be",)),
    (r"\bis not\b", ("isn't",)),
    (r"\bwill not\b", ("won't",)),
    (r"\bdoes not\b", ("doesn't",)),
    (r"\byou are (?!able)", ("you're ",)),
)
