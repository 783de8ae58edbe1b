"""Test pictures: from [samples] and the LoRAs of a run to pictures to draw, their files, and the grid of them."""
