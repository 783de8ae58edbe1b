"""The same for as many inputs as one likes, new ones each time: `make soak EXAMPLES=1000000`."""

import os
import random
import time

import pytest
from fuzz_answers import ANSWERS
from fuzz_given import GIVEN
from fuzzing import TARGETS, attempt

pytestmark = pytest.mark.soak
ALL = {**TARGETS, **GIVEN, **ANSWERS}


@pytest.mark.parametrize("name", list(ALL))
def test_no_input_escapes_for_long(name: str) -> None:
    """Nothing but a KohyaWrapError comes out of a parser; says how many inputs it took, and how long.

    What escapes is shown as bytes, to be kept below found/. They are thrown without hypothesis, which takes longer for
    an input than most parsers.
    """
    examples, seed, began = int(os.environ.get("KOHYA_WRAP_EXAMPLES", "20000")), int(time.time()), time.monotonic()
    target, dice = ALL[name], random.Random(seed)  # noqa: S311 - dice
    for number in range(examples):
        data = target.input(dice)
        try:
            attempt(target, data)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, input {number}: {data!r}") from error
    print(f"\n{name}: {examples:,} inputs in {time.monotonic() - began:.0f} s")  # noqa: T201 - the figure
