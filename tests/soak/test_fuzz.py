"""Foreign bytes end in an answer or in an error of our own: some inputs for every parser, always the same."""

import pytest
from fuzz_answers import ANSWERS
from fuzz_given import GIVEN
from fuzzing import TARGETS, fuzz

ALL = {**TARGETS, **GIVEN, **ANSWERS}


@pytest.mark.parametrize("name", list(ALL))
def test_no_input_escapes(name: str) -> None:
    """Nothing but a KohyaWrapError comes out of a parser, whatever goes in, and no file lands outside its folder."""
    fuzz(name, ALL[name], examples=200 if name in TARGETS else 40)
