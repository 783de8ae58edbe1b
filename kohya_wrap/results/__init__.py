"""LoRA files and losses, read back."""
