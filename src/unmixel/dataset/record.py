"""Provenance: where data came from and what every step did to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where a scan came from.

    Parameters
    ----------
    path : str
        File or address as the user gave it (``demo:glass?...`` for phantoms, ``memory`` for arrays).
    format : str
        Format in words, such as ``"HyperSpy zspy"``.
    reader : str
        Registered name of the reader and version of the library behind it.
    scan_shape_from : str
        How the scan shape became known, in one sentence.
    notes : tuple of str
        What reading assumed, left out or was warned of, each in one sentence.
    """

    path: str = "memory"
    format: str = "array"
    reader: str = "none"
    scan_shape_from: str = "the shape of the array"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepRecord:
    """What one step of preparation did.

    Parameters
    ----------
    name : str
        Registered name of the step.
    parameters : mapping
        The step's own parameters, JSON-safe.
    effect : str
        One sentence for the user: what changed, with numbers.
    values : mapping
        Measured numbers (centre, number of dead pixels, ...), JSON-safe.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    effect: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def is_simulated(record: Mapping[str, Any]) -> bool:
    """Return whether the record of a run says that the data come from a phantom.

    Examples
    --------
    >>> is_simulated({"input": {"path": "demo:glass"}}), is_simulated({})
    (True, False)
    """
    source = record.get("input")
    source = source if isinstance(source, Mapping) else {}
    return (
        str(source.get("path", "")).startswith("demo:") or "phantom" in str(source.get("format", "")).lower()
    )
