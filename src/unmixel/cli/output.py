"""Printing: tables for people on standard output, JSON for programs, remarks on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

_WIDE = 160
"""Columns where the output is no terminal, so that lines stay whole in files and pipes."""


def print_json(values: Any) -> None:
    """Print JSON-safe values on standard output."""
    from unmixel.io.nexus import jsonable

    sys.stdout.write(json.dumps(jsonable(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def out() -> Any:
    """Return the console for results."""
    return _console(error=False)


def err() -> Any:
    """Return the console for remarks and progress."""
    return _console(error=True)


def _console(*, error: bool) -> Any:
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(stderr=error, highlight=False, soft_wrap=True, width=width)
