"""Errors say what was expected, what came and what to do; each can be caught by its kind or Python's."""

from __future__ import annotations

import pickle

import pytest

from unmixel.core import errors
from unmixel.core.errors import (
    DiskFullError,
    InputError,
    MissingExtraError,
    PluginError,
    ReadError,
    RecipeError,
    RunExistsError,
    ScanShapeError,
    UnmixelError,
    VerificationError,
)


@pytest.mark.parametrize(
    ("kind", "python"),
    [
        (InputError, ValueError),
        (ReadError, InputError),
        (ScanShapeError, InputError),
        (RecipeError, ValueError),
        (PluginError, LookupError),
        (RunExistsError, FileExistsError),
        (DiskFullError, OSError),
        (VerificationError, Exception),
        (MissingExtraError, ImportError),
    ],
)
def test_every_error_is_ours_and_pythons(kind: type[Exception], python: type[Exception]) -> None:
    assert issubclass(kind, UnmixelError)
    assert issubclass(kind, python)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    kinds = [
        name for name in vars(errors) if isinstance(getattr(errors, name), type) and name.endswith("Error")
    ]
    assert len(kinds) >= 8
    assert all(name in str(errors.__doc__) for name in kinds)


def test_message_has_four_parts() -> None:
    error = InputError("bin", expected="a factor >= 1", got="0", hint="use 2.")
    assert str(error) == "bin: expected a factor >= 1, got 0. What to do: use 2."
    assert (error.what, error.expected, error.got, error.hint) == ("bin", "a factor >= 1", "0", "use 2.")


def test_without_hint_the_message_ends_there() -> None:
    assert str(InputError("bin", expected="1", got="0")) == "bin: expected 1, got 0."


def test_missing_extra_says_what_to_install() -> None:
    error = MissingExtraError("torch", extra="torch", purpose="The torch engine")
    assert 'pip install "unmixel[torch]"' in str(error)
    assert str(error).startswith("The torch engine needs")


def test_plain_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RecipeError("no entry 'sweps'")))
    assert str(error) == "no entry 'sweps'"
