"""Diffusion models: loading a base, the algebra of noising, and the target under attack."""
