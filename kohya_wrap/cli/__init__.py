"""One file per verb; each parses and prints, the API does the work."""
