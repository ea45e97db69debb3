"""The errors that unmixel raises.

::

    UnmixelError                 anything unmixel says no to
    ├── InputError (ValueError)  what was given does not fit: expected, got, what to do
    │   ├── ReadError            a file that cannot be read: file, format tried, what to do
    │   ├── ScanShapeError       the scan shape is not known or does not fit
    │   └── StreamError          a detector that cannot be reached, or a stream that ends early or makes no sense
    ├── RecipeError (ValueError) a recipe with an unknown or wrong entry
    ├── PluginError (LookupError) no plug-in of that name; did you mean ...?
    ├── IdeaError            an idea of the user's that does not load, breaks a law, fails or does not end
    ├── RunExistsError (FileExistsError)  a run folder (or file) is there and is not overwritten
    ├── WriteError (OSError)     a file could not be written; the older one of that name is as it was
    ├── DiskFullError (OSError)  there is no room left for what is written
    ├── VerificationError        what was written is not what was read
    └── MissingExtraError (ImportError)   an optional package is not installed

Every message names what was expected, what came and what to do.
"""

from __future__ import annotations

from typing import Any


class UnmixelError(Exception):
    """Anything that unmixel refuses or cannot do."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how the error is made again in another process: its words are there already."""
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[UnmixelError], args: tuple[Any, ...]) -> UnmixelError:
    error = kind.__new__(kind)
    error.args = args
    return error


class InputError(UnmixelError, ValueError):
    """Something given does not fit what was expected.

    Parameters
    ----------
    what : str
        The thing that was checked, in the user's words.
    expected, got : str
        What would have been right and what came instead.
    hint : str
        What to do about it.

    Examples
    --------
    >>> print(InputError("n_components", expected="a whole number >= 1", got="0", hint="choose e.g. 12"))
    n_components: expected a whole number >= 1, got 0. What to do: choose e.g. 12.
    """

    def __init__(self, what: str, *, expected: str, got: str, hint: str = "") -> None:
        self.what, self.expected, self.got, self.hint = what, expected, got, hint
        text = f"{what}: expected {expected}, got {got}."
        super().__init__(f"{text} What to do: {hint.rstrip('.')}." if hint else text)


class ReadError(InputError):
    """A file cannot be read: names the file, the format tried and what to do."""


class ScanShapeError(InputError):
    """The scan shape of a file is unknown, or the one given does not fit."""


class StreamError(InputError):
    """A detector cannot be reached, or its stream ends early or sends what it should not; what came is kept."""


class RecipeError(UnmixelError, ValueError):
    """A recipe holds an unknown entry or a value out of range."""


class PluginError(UnmixelError, LookupError):
    """No plug-in of that name is installed."""


class IdeaError(UnmixelError):
    """An idea that is tried does not load, breaks a law, fails or does not end; told with the user's own line."""


class RunExistsError(UnmixelError, FileExistsError):
    """A run folder, or the target of a conversion, exists already and is not overwritten without being told to."""


class DiskFullError(UnmixelError, OSError):
    """The disk, or a quota on it, has no room left; what was written is kept."""


class VerificationError(UnmixelError):
    """What was read back differs from what was to be written."""


class WriteError(UnmixelError, OSError):
    """A file could not be written; what was there before is as it was.

    Parameters
    ----------
    what : str
        The file, in the user's words.
    reason : str
        Why, with the bytes that are needed and free where they are known.
    hint : str
        What to do about it.

    Examples
    --------
    >>> print(WriteError("result.nxs", "the disk is full", hint="make room"))
    result.nxs could not be written: the disk is full. What to do: make room.
    """

    def __init__(self, what: str, reason: str, *, hint: str) -> None:
        self.what, self.reason, self.hint = what, reason, hint
        super().__init__(f"{what} could not be written: {reason}. What to do: {hint}.")


class MissingExtraError(UnmixelError, ImportError):
    """An optional package is needed for this and is not installed.

    Parameters
    ----------
    package : str
        The import name that is missing.
    extra : str
        The extra of unmixel that brings it.
    purpose : str
        What it is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed. "
            f'What to do: pip install "unmixel[{extra}]".'
        )
