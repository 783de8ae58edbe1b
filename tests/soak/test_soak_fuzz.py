"""The same for as many inputs as one likes, new ones each time: `make soak EXAMPLES=1000000`."""

import os
import time

import pytest
from fuzzing import TARGETS, fuzz

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("name", list(TARGETS))
def test_no_input_escapes_for_long(name: str) -> None:
    """Nothing but a KohyaWrapError comes out of a parser; says how many inputs it took, and how long."""
    examples, began = int(os.environ.get("KOHYA_WRAP_EXAMPLES", "20000")), time.monotonic()
    fuzz(name, examples=examples, derandomize=False)
    print(f"\n{name}: {examples:,} inputs in {time.monotonic() - began:.0f} s")  # noqa: T201 - the figure
