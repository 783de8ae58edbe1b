"""Drawing test pictures: what runs in the engine's environment."""
