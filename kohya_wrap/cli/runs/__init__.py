"""kohya-wrap runs: one module per verb."""
