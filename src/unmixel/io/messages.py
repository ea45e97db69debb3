"""What libraries say while they read: kept as notes, never shown in passing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("rsciio", "h5py", "tifffile", "zarr")
_OF_NO_USE = ("tqdm module not found", "unclosed file", "`hdr` file couldn't be found")


class _Ear(logging.Handler):
    """Keeps the text of log records of level WARNING and above."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self.kept.append(record.getMessage())


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect warnings and log messages of reading libraries instead of showing them.

    Returns
    -------
    list of str
        Filled when the context ends: each message once, on one line.

    Examples
    --------
    >>> with heard() as notes:
    ...     warnings.warn("the file is older than I am", stacklevel=1)
    >>> notes
    ['the file is older than I am']
    """
    notes: list[str] = []
    raw: list[str] = []
    ear = _Ear(raw)
    before = [(logging.getLogger(name), logging.getLogger(name).propagate) for name in _LOGGERS]
    old_handlers = [list(logger.handlers) for logger, _ in before]
    for logger, _ in before:
        logger.handlers, logger.propagate = [ear], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield notes
        raw += [str(warning.message) for warning in caught]
    finally:
        for (logger, propagate), handlers in zip(before, old_handlers, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
        lines = (" ".join(text.split()) for text in raw)
        notes += dict.fromkeys(line for line in lines if not any(word in line for word in _OF_NO_USE))
