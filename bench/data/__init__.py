"""Pairs of pictures and captions: where they come from and how they are split."""
