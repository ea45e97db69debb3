"""Which data of a file that holds several: the largest scan, unless the user says which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmixel.core.errors import ReadError


@dataclass(frozen=True)
class Offer:
    """One array that a file holds.

    Parameters
    ----------
    name : str
        How the file names it.
    shape : tuple of int
    dtype : numpy dtype
    n_scan_axes : int
        How many of its axes are scan axes, as far as known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_scan_axes: int = 0

    @property
    def numeric(self) -> bool:
        """Whether its values are plain numbers."""
        return self.dtype.kind in "uifb" and self.dtype.names is None and len(self.shape) > 0

    @property
    def weight(self) -> tuple[bool, int]:
        """Scans before single patterns, large before small."""
        return (self.n_scan_axes > 0, math.prod(self.shape))

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape))} {self.dtype}"


def distinct(names: Sequence[str]) -> list[str]:
    """Return names made unique by a number.

    Examples
    --------
    >>> distinct(["EDX", "", "EDX"])
    ['EDX', 'data', 'EDX#2']
    """
    seen: dict[str, int] = {}
    result = []
    for raw in names:
        name = raw or "data"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return result


def pick(
    offers: Sequence[Offer], dataset: str | None, *, path: str, form: str
) -> tuple[int, tuple[str, ...]]:
    """Return the index of the data to read and notes on what was left aside.

    Parameters
    ----------
    offers : sequence of Offer
        With distinct names.
    dataset : str or None
        Name that the user gave; None takes the largest scan.
    path, form : str
        For messages.

    Raises
    ------
    ReadError
        When there is no such data or nothing that is a scan, spectrum or image of plain numbers.
    """
    found = ", ".join(str(offer) for offer in offers[:12]) + (", ..." if len(offers) > 12 else "")
    usable = [index for index, offer in enumerate(offers) if offer.numeric]
    if not usable:
        raise ReadError(
            path,
            expected=f"{form} with data of plain numbers",
            got=found or "no data",
            hint="colour images and tables cannot be analysed; give the file with the recorded counts",
        )
    if dataset is None:
        index = max(usable, key=lambda i: (*offers[i].weight, -i))
        others = [str(offers[i]) for i in usable if i != index]
        if not others:
            return index, ()
        some = ", ".join(others[:8]) + (f" and {len(others) - 8} more" if len(others) > 8 else "")
        return index, (
            f"The file holds {len(usable)} data sets; '{offers[index].name}' is read, others: {some}.",
        )
    for index in usable:
        if offers[index].name == dataset:
            return index, ()
    raise ReadError(
        path,
        expected=f"data named '{dataset}' in {form}",
        got=found,
        hint=f"give dataset='{offers[max(usable, key=lambda i: offers[i].weight)].name}' or leave it out",
    )
