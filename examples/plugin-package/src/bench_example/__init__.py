"""An attack and a defense for t2i-defense-bench."""
