"""The places that models come from, one module each."""
