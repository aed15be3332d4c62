"""Attacks and defenses, wherever they come from: found, loaded, resolved from text to components.

Four origins of one rank: the shipped folders, a user's file, a user's folder, and the entry points
`bench.attacks` and `bench.defenses` of installed packages. All come through one loader, by path. A
file that cannot be loaded is listed with its error and harms no other; a name that two files claim
is an error that names both.
"""

from __future__ import annotations

from bench.plugins.finding import discover, shipped, shipped_folder
from bench.plugins.loading import load_file, load_module
from bench.plugins.plugin import PLURAL, Kind, Plugin
from bench.plugins.resolving import components, instantiate, joined, resolve, spelled
from bench.plugins.sources import combined_digest, source_digest, source_digests

__all__ = [
    "PLURAL",
    "Kind",
    "Plugin",
    "combined_digest",
    "components",
    "discover",
    "instantiate",
    "joined",
    "load_file",
    "load_module",
    "resolve",
    "shipped",
    "shipped_folder",
    "source_digest",
    "source_digests",
    "spelled",
]
