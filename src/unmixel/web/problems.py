"""Errors in the words that the browser shows: without whole paths, users or machines."""

from __future__ import annotations

from unmixel.core.errors import InputError
from unmixel.dataset.privacy import scrubbed
from unmixel.web.models import Problem


def problem(error: Exception) -> Problem:
    """Return what to show of an error of ours."""
    if isinstance(error, InputError):
        told = {"what": error.what, "expected": error.expected, "got": error.got, "hint": error.hint}
    else:
        told = {"what": str(error)}
    return Problem(**scrubbed(told))
