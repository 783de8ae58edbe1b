"""Train a LoRA with sd-scripts from a preset: run(preset) does the rest."""
