"""An audit: a model that somebody already trained is attacked with pairs that were given apart."""
