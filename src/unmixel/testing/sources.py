"""The laws of a source: every registered one is held to them, and third parties can hold theirs.

for law in SourceLaws.names():
    SourceLaws(MySource(), Emitter(values, start, "my-detector:nobody")).check(law)

A source may bring its example: a method ``example(folder)`` that returns an `Emitter`, which may write into the folder.
Then ``unmixel plugins --laws`` holds it to the laws, too.
"""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.contract import Address, Frames, Source, Stream
from unmixel.core import registry
from unmixel.core.errors import InputError, StreamError
from unmixel.testing.laws import Laws, must

HEAVY = ("dask", "h5py", "matplotlib", "rsciio", "scipy", "sklearn", "torch", "zarr", "zmq")
"""What importing the module of a source must not load."""

_PATIENCE_S = 20.0


@dataclass(frozen=True, eq=False)
class Emitter:
    """Something that sends frames, and what it sends.

    Parameters
    ----------
    values : ndarray, shape (n, *pattern_shape)
        All frames of an acquisition, as a file of the same detector gives them.
    start : callable (n_sent: int) -> context of str
        Begins to send one acquisition to whoever connects and breaks off after so many frames; gives the address.
    absent : str
        An address of the same kind where nobody is.
    """

    values: NDArray[Any]
    start: Callable[[int], AbstractContextManager[str]]
    absent: str


def emitter_of(source: Source, folder: Path) -> Emitter | None:
    """Return an emitter for a source; None where it brings none and unmixel has none that it hears.

    Parameters
    ----------
    source : Source
        Its own ``example(folder)`` is asked first.
    folder : Path
        Empty.
    """
    own = getattr(source, "example", None)
    if own is not None:
        brought = own(folder)
        must(isinstance(brought, Emitter), f"its example is {brought!r}, not an Emitter")
        return brought  # type: ignore[no-any-return]
    if source.name != "file":
        return None
    values = np.random.default_rng(0).poisson(3.0, (30, 9, 13)).astype(np.uint16)
    np.save(folder / "scan.npy", values.reshape(5, 6, 9, 13))
    place = f"file:{folder / 'scan.npy'}"
    return Emitter(values, lambda n: nullcontext(f"{place}#stop={n}"), f"file:{folder / 'none.npy'}")


@dataclass(frozen=True)
class SourceLaws(Laws):
    """Laws that a source must keep.

    Parameters
    ----------
    source : Source
    emitter : Emitter

    Examples
    --------
    >>> from contextlib import nullcontext
    >>> from unmixel.acquire.sources.replay import FileSource
    >>> from unmixel.io.open import open as open_scan
    >>> spec = "demo:planted?seed=1"
    >>> values = np.asarray(open_scan(spec).data)
    >>> emitter = Emitter(
    ...     values.reshape(-1, *values.shape[2:]),
    ...     lambda n_sent: nullcontext(f"file:{spec}#stop={n_sent}"),
    ...     "file:no such file.mib",
    ... )
    >>> SourceLaws(FileSource(), emitter).check("frames")
    """

    source: Source
    emitter: Emitter

    def _connected(self, address: str, timeout_s: float = 5.0) -> Stream:
        return self.source.connect(Address.of(address), timeout_s=timeout_s)

    def _received(self, n_sent: int) -> tuple[Stream, list[Frames], StreamError | None]:
        parts: list[Frames] = []
        with self.emitter.start(n_sent) as address:
            stream = self._connected(address)
            try:
                parts.extend(stream.frames())
            except StreamError as error:
                return stream, parts, error
            finally:
                stream.close()
        return stream, parts, None

    def law_contract(self) -> None:
        """A class without arguments, registered under the name that its addresses begin with."""
        must(isinstance(self.source, Source), f"{self.source} has no name, usage or connect")
        again = type(self.source)()
        must(again.name == self.source.name, "two instances have different names")
        must(self.source.usage.startswith(f"{self.source.name}:"), f"usage {self.source.usage!r}")
        if self.source.name in registry.names("sources"):
            kind = registry.load("sources", self.source.name)
            must(kind is type(self.source), f"'{self.source.name}' is registered as {kind}")

    def law_light_import(self) -> None:
        """Importing its module loads no heavy library."""
        code = f"import {type(self.source).__module__}, sys, json; print(json.dumps(list(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # nosec B603
        loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
        must(not loaded & set(HEAVY), f"import loads {', '.join(sorted(loaded & set(HEAVY)))}")

    def law_frames(self) -> None:
        """Every frame comes once, with its number and its values, at the type and shape that the heading says."""
        stream, parts, fault = self._received(len(self.emitter.values))
        must(fault is None, f"a whole acquisition ended with: {fault}")
        heading, numbers = stream.heading, np.concatenate([part.numbers for part in parts])
        values = np.concatenate([part.values for part in parts])
        must(heading.n_frames in (None, len(self.emitter.values)), f"{heading.n_frames} frames announced")
        must(numbers.dtype == np.int64, f"numbers are {numbers.dtype}")
        must(
            sorted(numbers.tolist()) == list(range(len(self.emitter.values))), "numbers are not 0, 1, 2, ..."
        )
        must(values.shape[1:] == heading.pattern_shape, f"{values.shape[1:]} is not {heading.pattern_shape}")
        must(str(values.dtype) == heading.dtype, f"{values.dtype} is not {heading.dtype}")
        must(values.dtype.isnative, f"byte order of the detector: {values.dtype.str}")
        must(np.array_equal(values[np.argsort(numbers)], self.emitter.values), "values are not those sent")

    def law_own_memory(self) -> None:
        """Frames that were handed out do not change while later ones come."""
        seen: list[tuple[Frames, NDArray[Any]]] = []
        with self.emitter.start(len(self.emitter.values)) as address:
            stream = self._connected(address)
            seen.extend((part, part.values.copy()) for part in stream.frames())
            stream.close()
        must(all(np.array_equal(part.values, copy) for part, copy in seen), "frames were written over")

    def law_breaks_off(self) -> None:
        """A stream that ends early hands out every whole frame, then says with what to do that it has ended."""
        wanted = len(self.emitter.values) // 2
        _, parts, fault = self._received(wanted)
        count = sum(len(part.numbers) for part in parts)
        must(count == wanted, f"{count} frames of {wanted} that were sent")
        must(fault is not None and bool(fault.hint), f"the end is told as {fault!r}")

    def law_closes(self) -> None:
        """Closing from another thread ends the frames, without an error; closing again does nothing."""
        with self.emitter.start(len(self.emitter.values)) as address:
            stream = self._connected(address, timeout_s=60.0)
            threading.Timer(0.05, stream.close).start()
            begin, count = monotonic(), 0
            for part in stream.frames():
                count += len(part.numbers)
            must(monotonic() - begin < _PATIENCE_S, "it went on")
            must(count <= len(self.emitter.values), "more frames than were sent")
            stream.close()

    def law_nobody_there(self) -> None:
        """Where nobody is, or an option is unknown, it says so, and what to do."""
        for address in (self.emitter.absent, f"{self.emitter.absent}#nonsense=1"):
            try:
                self._connected(address, timeout_s=0.5).close()
            except InputError as error:
                must(bool(error.hint), f"the error says nothing to do: {error}")
            else:
                must(False, f"{address} was connected to")
