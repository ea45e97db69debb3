"""Errors in the words that the browser shows: without whole paths, users or machines."""

from __future__ import annotations

from unmixel.core.errors import InputError, UnmixelError
from unmixel.dataset.privacy import scrubbed
from unmixel.web.models import Problem


def problem(error: Exception) -> Problem:
    """Return what to show of an error: what was meant to be read, or a fault that nobody foresaw."""
    if isinstance(error, InputError):
        told = {"what": error.what, "expected": error.expected, "got": error.got, "hint": error.hint}
    elif isinstance(error, UnmixelError):
        told = {"what": str(error)}
    else:
        told = {"what": f"A fault of the viewer or of the disk: {type(error).__name__}."}
    return Problem(**scrubbed(told))
