"""A scan that is there already, sent frame by frame: for tests and demonstrations without a detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import ClassVar

import numpy as np

from unmixel.acquire.contract import Address, Frames, Heading
from unmixel.core.errors import InputError, StreamError
from unmixel.dataset.scan import Scan

_BATCH_S = 0.02
_MOST_BYTES = 8_000_000


@dataclass(eq=False)
class Replay:
    """The frames of a scan at a given rate.

    Parameters
    ----------
    heading : Heading
    scan : Scan
    rate : float, >= 0
        Frames a second; 0 sends as fast as they are taken.
    lost : frozenset of int
        Numbers of frames that do not come.
    n_sent : int
        Frames after which the stream breaks off; all of them where it is as many as the scan has.
    """

    heading: Heading
    scan: Scan
    rate: float = 0.0
    lost: frozenset[int] = frozenset()
    n_sent: int = 0
    _closed: Event = field(default_factory=Event, init=False, repr=False)

    def frames(self) -> Iterator[Frames]:
        """Yield the frames in the order of the scan."""
        from unmixel.engines.blocks import read_once
        from unmixel.engines.lazy import as_array

        n_scan, begin = len(self.scan.scan_axes), monotonic()
        step = max(1, _MOST_BYTES // (self.scan.n_pixels * self.scan.data.dtype.itemsize))
        if self.rate:
            step = max(1, min(step, int(self.rate * _BATCH_S)))
        for block in read_once(as_array(self.scan.data, n_scan), n_scan, 64 * _MOST_BYTES):
            for start in range(0, len(block.positions), step):
                numbers = np.asarray(block.positions[start : start + step], np.int64)
                keep = [i for i, number in enumerate(numbers.tolist()) if number not in self.lost]
                keep = [i for i in keep if numbers[i] < self.n_sent]
                due = begin + (numbers[0] + len(numbers)) / self.rate if self.rate else 0.0
                if self._closed.wait(max(0.0, due - monotonic())):
                    return
                if keep:
                    values = np.asarray(block.values[start : start + step])[keep]
                    yield Frames(numbers[keep], values.reshape(len(keep), *self.scan.pattern_shape))
                if numbers[-1] >= self.n_sent:
                    raise StreamError(
                        "the stream",
                        expected=f"{self.scan.n_positions} frames",
                        got=f"an end after {self.n_sent}",
                        hint="it was asked for with stop=",
                    )

    def close(self) -> None:
        """Send nothing more."""
        self._closed.set()


@dataclass(frozen=True)
class FileSource:
    """Any scan that `unmixel.open` reads, as if it were being acquired.

    Options: ``rate`` (frames a second; 0, the default, is as fast as possible), ``lose`` (every so many frames one
    does not come) and ``stop`` (the stream breaks off after so many frames): what happens in a laboratory, to try out.
    """

    name: ClassVar[str] = "file"
    usage: ClassVar[str] = "file:FILE#rate=1000"

    def connect(self, address: Address, *, timeout_s: float) -> Replay:
        """Return the scan as a stream.

        Raises
        ------
        InputError
            When the file cannot be read, holds no images, or an option is wrong.
        """
        from unmixel import __version__
        from unmixel.io.open import open as open_scan

        address.refuse_others("rate", "lose", "stop")
        scan = open_scan(address.place)
        if scan.is_spectrum or not scan.scan_shape:
            raise InputError(
                "file", expected="a scan of patterns", got="spectra or one pattern", hint="use unmixel run"
            )
        every, n = int(address.number("lose", 0)), scan.n_positions
        heading = Heading(
            pattern_axes=scan.pattern_axes,
            dtype=str(np.dtype(scan.data.dtype).newbyteorder("=")),
            n_frames=n,
            scan_axes=scan.scan_axes,
            form=f"replay of {scan.source.format}",
            source=f"{self.name} (unmixel {__version__})",
            instrument=scan.instrument,
            metadata=scan.original_metadata,
            notes=scan.source.notes,
        )
        return Replay(
            heading,
            scan,
            rate=address.number("rate", 0),
            lost=frozenset(range(every - 1, n, every)) if every else frozenset(),
            n_sent=min(n, int(address.number("stop", n))),
        )
