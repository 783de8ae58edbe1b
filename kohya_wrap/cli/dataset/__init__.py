"""kohya-wrap dataset: one module per verb."""
