"""Printing: tables for people on standard output, JSON for programs, remarks on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(values: Any) -> None:
    """Print JSON-safe values on standard output."""
    from unmixel.io.nexus import jsonable

    sys.stdout.write(json.dumps(jsonable(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def out() -> Any:
    """Return the console for results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> Any:
    """Return the console for remarks and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)
