"""``unmixel convert``: a scan in another store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unmixel.cli.output import err, out, print_json
from unmixel.core.errors import InputError
from unmixel.core.units import memory

if TYPE_CHECKING:
    from unmixel.pipeline.convert import Conversion

_PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Wish:
    """What the command line asked for.

    Parameters
    ----------
    source, target : str
    memory : str
        Such as ``1GB``.
    scan_shape : str or None
    drop_flyback : bool
    dataset : str or None
        Which data of a file that holds several.
    """

    source: str
    target: str
    memory: str
    scan_shape: str | None = None
    drop_flyback: bool = False
    dataset: str | None = None


def bytes_of(text: str) -> int:
    """Return the bytes that a text such as ``1GB``, ``800 MB`` or ``5e8`` means (decimal prefixes).

    Raises
    ------
    InputError
        When it is no size above 0.

    Examples
    --------
    >>> bytes_of("1GB"), bytes_of("1.5 mb")
    (1000000000, 1500000)
    """
    found = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    try:
        value = float(found[1]) * _PREFIXES[found[2]] if found else 0.0
    except ValueError:
        value = 0.0
    if value < 1:
        raise InputError(
            "--memory", expected="a size such as 1GB or 800MB", got=f"'{text}'", hint="e.g. --memory 2GB"
        )
    return int(value)


def convert(wish: Wish, *, resume: bool, verify: bool, force: bool, as_json: bool) -> None:
    """Convert, with progress on standard error, and print what came out."""
    budget = bytes_of(wish.memory)
    from unmixel.cli.progress import Bars
    from unmixel.io.open import open as open_scan
    from unmixel.io.shape import parsed
    from unmixel.pipeline.convert import convert as converted

    shape = parsed(wish.scan_shape) if wish.scan_shape else None
    scan = open_scan(wish.source, scan_shape=shape, drop_flyback=wish.drop_flyback, dataset=wish.dataset)
    with Bars(err()) as bars:
        try:
            done = converted(
                scan,
                wish.target,
                budget=budget,
                resume=resume,
                verify=verify,
                force=force,
                progress=bars,
            )
        except KeyboardInterrupt as stop:
            stop.add_note("What is written is kept; go on with --resume.")
            raise
    if as_json:
        print_json(described(done))
        return
    for line in lines(done):
        out().print(line, markup=False)


def described(done: Conversion) -> dict[str, Any]:
    """Return a conversion JSON-safe."""
    return {
        "target": done.target,
        "writer": done.writer,
        "bytes_in_memory": done.n_bytes,
        "bytes_stored": done.stored_bytes,
        "ratio": done.ratio,
        "seconds": done.seconds,
        "MB_per_s": done.speed,
        "tiles": len(done.layout.tiles),
        "tiles_resumed": done.n_resumed,
        "layout": done.layout.to_dict(),
        "sha256": done.sha256,
        "notes": list(done.notes),
    }


def lines(done: Conversion) -> list[str]:
    """Return what is printed for people."""
    resumed = f", {done.n_resumed} of {len(done.layout.tiles)} parts from before" if done.n_resumed else ""
    told = [
        f"{done.target}: {memory(done.stored_bytes)} for {memory(done.n_bytes)} in memory (ratio {done.ratio:.3g}), "
        f"{done.seconds:.3g} s, {done.speed:.3g} MB/s{resumed}",
        *done.notes,
    ]
    if done.sha256 is not None:
        told.append(f"Verified bit by bit; sha256 of the data (by rows): {done.sha256}")
    return told
