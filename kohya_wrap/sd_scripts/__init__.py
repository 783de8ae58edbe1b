"""Everything that knows the spelling of sd-scripts."""
