"""Runs of a store as one file for another site: packed, read without trust, taken in."""
