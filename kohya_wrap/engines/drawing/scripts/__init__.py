"""What runs in the engine's environment to draw; `names` and `attention` are plain Python for both sides."""
