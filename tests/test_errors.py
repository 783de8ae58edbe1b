"""The error tree: one exit code a class, every problem in the message."""

import re

from kohya_wrap import errors
from kohya_wrap.errors import DatasetError, KohyaWrapError, Problem


def every_class(base: type[KohyaWrapError] = KohyaWrapError) -> list[type[KohyaWrapError]]:
    return [base, *(each for child in base.__subclasses__() for each in every_class(child))]


def test_exit_codes_are_unique() -> None:
    """A script can tell every failure by its exit code."""
    classes = [each for each in every_class() if each.__module__.startswith("kohya_wrap")]
    codes = [each.exit_code for each in classes]
    assert len(codes) == len(set(codes)), sorted((each.exit_code, each.__name__) for each in classes)


def test_the_drawing_shows_the_tree() -> None:
    """The tree in the docstring names each class of the module with its code."""
    drawn = dict(re.findall(r"(\w+Error)\s+(\d+)", errors.__doc__ or ""))
    real = {each.__name__: str(each.exit_code) for each in every_class() if each.__module__ == errors.__name__}
    assert drawn == real


def test_a_message_says_what_where_and_what_to_do() -> None:
    """All three stand in the text of the exception."""
    error = DatasetError("is empty", where="Loras/x/dataset", todo="put pictures there")
    assert str(error) == "Loras/x/dataset: is empty → put pictures there"
    assert error.problems == (Problem("Loras/x/dataset", "is empty", "put pictures there"),)


def test_several_problems_come_in_one_error() -> None:
    """Each has its own line, and the class decides the exit code."""
    error = DatasetError.of([Problem("a", "bad"), Problem("b", "worse", "mend it")])
    assert isinstance(error, DatasetError)
    assert str(error).splitlines() == ["2 problems", "  a: bad", "  b: worse → mend it"]
