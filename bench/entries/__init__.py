"""Entries: what one person measured of one model, small enough to commit and to recompute.

A folder of two files: `entry.json` (schema.py) and `scores.npz` (arrays.py). `build` makes it from
a store, `load` reads it as if its author meant harm, `validate` says whether it holds.
docs/entries.md tells what is checked and what cannot be. Nothing here imports torch.
"""
