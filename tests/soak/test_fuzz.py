"""Foreign bytes end in an answer or in an error of our own: some hundred inputs for every parser, always the same."""

import pytest
from fuzzing import TARGETS, fuzz


@pytest.mark.parametrize("name", list(TARGETS))
def test_no_input_escapes(name: str) -> None:
    """Nothing but a KohyaWrapError comes out of a parser, whatever goes in, and no file lands outside its folder."""
    fuzz(name, examples=200)
