"""Captions by a model that needs torch, in the engine's environment. caption_blip.py runs there and nowhere else."""
