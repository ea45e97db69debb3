"""What goes wrong in RDE's terms: every error with a code, for ``job.failed``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from unmixel.core.errors import (
    InputError,
    MissingExtraError,
    PluginError,
    ReadError,
    RecipeError,
    ScanShapeError,
    UnmixelError,
)


class NoScanError(InputError):
    """The input files hold no scan, or several of which none is named."""


class InvoiceError(InputError):
    """A field of the invoice holds something else than it should."""


@dataclass(frozen=True)
class Code:
    """One code of RDE's error file.

    Parameters
    ----------
    number : int
        ``ErrorCode`` in ``job.failed``.
    kind : type
        The error that it stands for, with all kinds of it that have no code of their own.
    meaning, remedy : str
        What happened, and what the user can do, in one sentence each.
    """

    number: int
    kind: type[BaseException]
    meaning: str
    remedy: str


CODES = (
    Code(
        101,
        NoScanError,
        "The input files hold no scan, or several.",
        "Upload one scan a tile, or name it in the invoice field data_file.",
    ),
    Code(
        102,
        InvoiceError,
        "A field of the invoice cannot be understood.",
        "Correct the field that the message names.",
    ),
    Code(
        111,
        ScanShapeError,
        "The scan shape is not known or does not fit the file.",
        "Give one of the shapes that the message lists in the invoice field scan_shape.",
    ),
    Code(
        112,
        ReadError,
        "The file is damaged, incomplete or of an unknown format.",
        "Copy it anew, or export it in a format of the list of formats.",
    ),
    Code(
        121,
        RecipeError,
        "The recipe, or a line of recipe_settings, has an unknown or wrong entry.",
        "Correct the entry that the message names.",
    ),
    Code(
        122,
        InputError,
        "Data and settings do not fit each other.",
        "Do what the message says.",
    ),
    Code(
        131,
        PluginError,
        "The recipe asks for a plug-in that the container does not have.",
        "Install it in the Dockerfile.",
    ),
    Code(
        132,
        MissingExtraError,
        "An optional package is not installed in the container.",
        "Install the extra that the message names in the Dockerfile.",
    ),
    Code(139, UnmixelError, "Anything else that unmixel refuses.", "Do what the message says."),
    Code(
        199,
        Exception,
        "An error that was not foreseen.",
        "Please report it, with the log of the job.",
    ),
)
"""Every code; the first whose kind an error is counts."""


def code_of(error: BaseException) -> int:
    """Return the code of an error.

    Examples
    --------
    >>> code_of(RecipeError("no")), code_of(ValueError("no"))
    (121, 199)
    """
    return next(code.number for code in CODES if isinstance(error, code.kind))


def message_of(error: BaseException) -> str:
    """Return an error in one line, without names of users and machines and without absolute paths."""
    from unmixel.dataset.privacy import scrubbed

    text = " ".join(str(error).split())
    if not isinstance(error, UnmixelError):
        text = f"unexpected {type(error).__name__}: {text}"
    return scrubbed(text)


@contextmanager
def structured() -> Iterator[None]:
    """Turn every error of the block into a StructuredError of rdetoolkit.

    Raises
    ------
    rdetoolkit.exceptions.StructuredError
        With the code and the message of what went wrong, which stays its cause.
    MissingExtraError
        When rdetoolkit is not installed: before anything is done.
    """
    try:
        from rdetoolkit.exceptions import StructuredError
    except ImportError as error:
        raise MissingExtraError("rdetoolkit", extra="fair", purpose="Structuring data for RDE") from error
    try:
        yield
    except StructuredError:
        raise
    except Exception as error:
        raise StructuredError(message_of(error), code_of(error), eobj=error) from error
