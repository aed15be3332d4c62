"""Words: WordNet synonyms, inflection, phrase rules, and measures of how far a text has moved.

Nothing here loads a model or a large library; the synonym table is read when first asked for.
"""
