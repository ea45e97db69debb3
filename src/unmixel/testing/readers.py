"""The laws of a reader: every registered one is held to them, and third parties can hold theirs.

for law in ReaderLaws.names():
    ReaderLaws(MyReader(), Example("my file", values)).check(law)

A reader may bring its example: a method ``example(folder)`` that writes a small file of its format there and returns
an `Example`. Then ``unmixel plugins --laws`` holds it to the laws, too.
"""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.core.units import canonical
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import Reader, ReadOptions
from unmixel.testing.laws import Laws, must

HEAVY = ("dask", "h5py", "matplotlib", "rsciio", "scipy", "sklearn", "torch", "zarr")
"""What importing the module of a reader must not load."""


@dataclass(frozen=True, eq=False)
class Example:
    """A file (or address) that a reader wants, and what is in it.

    Parameters
    ----------
    path : str
    values : ndarray, shape (*scan_shape, *pattern_shape), or None
        What reading gives, in that order; None where only the laws of form are checked.
    n_scan_axes : int
    in_memory : bool
        Whether the format can only be read whole.
    """

    path: str
    values: NDArray[Any] | None = None
    n_scan_axes: int = 2
    in_memory: bool = False


_COUNTS = np.random.default_rng(3).poisson(4.0, (5, 9, 31, 26)).astype(np.uint16)


def example_of(reader: Reader, folder: Path) -> Example | None:
    """Return a small example for a reader; None where it brings none and unmixel cannot write its format.

    Parameters
    ----------
    reader : Reader
        Its own ``example(folder)`` is asked first.
    folder : Path
        Empty; here the file is written.

    Examples
    --------
    >>> from unmixel.io.demo import DemoReader
    >>> example_of(DemoReader(), Path()).path
    'demo:glass?scan=5x9&detector=31x26&precipitates=2'
    """
    own = getattr(reader, "example", None)
    if own is not None:
        brought = own(folder)
        must(isinstance(brought, Example), f"its example is {brought!r}, not an Example")
        return brought  # type: ignore[no-any-return]
    write = _WRITTEN.get(reader.name)
    return None if write is None else write(folder)


def _demo(folder: Path) -> Example:
    return Example("demo:glass?scan=5x9&detector=31x26&precipitates=2")


def _mat(folder: Path) -> Example:
    from scipy.io import savemat

    savemat(folder / "scan.mat", {"frames": _COUNTS})
    return Example(str(folder / "scan.mat"), _COUNTS, in_memory=True)


def _npz(folder: Path) -> Example:
    np.savez_compressed(folder / "scan.npz", data=_COUNTS)
    return Example(str(folder / "scan.npz"), _COUNTS)


def _stored(suffix: str, named: str = "") -> Callable[[Path], Example]:
    """Return what writes a store of ours, under another suffix where one is named."""

    def write(folder: Path) -> Example:
        from unmixel.pipeline.convert import convert

        place = folder / f"scan.{suffix}"
        convert(Scan.from_array(_COUNTS), place)
        return Example(str(place.rename(place.with_suffix(f".{named or suffix}"))), _COUNTS)

    return write


_WRITTEN: Mapping[str, Callable[[Path], Example]] = {
    "converted": _stored("zarr"),
    "demo": _demo,
    "hdf5": _stored("hspy", "h5"),
    "mat": _mat,
    "npz": _npz,
    "rosetta": _stored("hspy"),
    "zarr": _stored("zarr"),
}
"""By the names of readers of unmixel; files of the others are of one vendor's making and lie with the tests."""


@dataclass(frozen=True)
class ReaderLaws(Laws):
    """Laws that a reader must keep on an example.

    Parameters
    ----------
    reader : Reader
    example : Example

    Examples
    --------
    >>> from unmixel.io.demo import DemoReader
    >>> laws = ReaderLaws(DemoReader(), Example("demo:planted?seed=1"))
    >>> [laws.check(law) for law in ReaderLaws.names()][0] is None
    True
    """

    reader: Reader
    example: Example

    def _read(self, options: ReadOptions | None = None) -> Scan:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return self.reader.read(self.example.path, options or ReadOptions())

    def law_contract(self) -> None:
        """A class without arguments, with a name, `accepts` and `read`; registered under its own name."""
        must(isinstance(self.reader, Reader), f"{self.reader} has no name, accepts or read")
        again = type(self.reader)()
        must(again.name == self.reader.name, "two instances have different names")
        if self.reader.name in registry.names("readers"):
            kind = registry.load("readers", self.reader.name)
            must(kind is type(self.reader), f"'{self.reader.name}' is registered as {kind}")

    def law_accepts(self) -> None:
        """It wants its own example and not what is not there; looking is not reading."""
        must(self.reader.accepts(self.example.path), f"{self.example.path} is refused")
        for path in ("", "no such file.no-such-suffix", str(Path(__file__).parent)):
            must(not self.reader.accepts(path), f"{path!r} is wanted")

    def law_light_import(self) -> None:
        """Importing its module loads no file library: `unmixel.open` imports every reader."""
        code = f"import {type(self.reader).__module__}, sys, json; print(json.dumps(list(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # nosec B603
        loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
        must(not loaded & set(HEAVY), f"import loads {', '.join(sorted(loaded & set(HEAVY)))}")

    def law_lazy(self) -> None:
        """Opening loads no data, unless the format can only be read whole, and then the notes say so."""
        scan = self._read()
        if self.example.in_memory:
            must(any("whole" in note for note in scan.source.notes), "the notes do not say: read whole")
        else:
            must(is_lazy(scan.data), f"data are {type(scan.data).__name__}, not lazy")
        must(scan.data.dtype.isnative, f"byte order of the file: {scan.data.dtype.str}")

    def law_values(self) -> None:
        """Values and shapes are those of the file, as a whole, in part and a second time."""
        scan, again = self._read(), self._read()
        whole = np.asarray(scan.data)
        must(whole.shape == (*scan.scan_shape, *scan.pattern_shape), f"shape {whole.shape}")
        must(whole.dtype == scan.data.dtype, f"said {scan.data.dtype}, gave {whole.dtype}")
        must(np.array_equal(whole, np.asarray(again.data)), "a second reading gives other values")
        last = (-1,) * len(scan.scan_axes)
        must(np.array_equal(np.asarray(scan.data[last]), whole[last]), "the last pattern is another")
        half = tuple(slice(size // 2, None) for size in scan.scan_shape)
        must(np.array_equal(np.asarray(scan.data[half]), whole[half]), "a part is not part of the whole")
        if self.example.values is not None:
            must(len(scan.scan_axes) == self.example.n_scan_axes, f"{len(scan.scan_axes)} scan axes")
            must(np.array_equal(whole, self.example.values), "values are not those of the file")

    def law_axes(self) -> None:
        """Axes are named ``y, x`` (or ``x``) and ``v, u`` or ``energy``, in canonical units."""
        scan = self._read()
        names = tuple(axis.name for axis in scan.pattern_axes)
        must(names in (("v", "u"), ("energy",)), f"pattern axes {names}")
        spatial = [axis.name for axis in scan.scan_axes if axis.unit != "s"]
        must(spatial[-2:] == ["y", "x"][2 - len(spatial[-2:]) :], f"scan axes {spatial}")
        for axis in (*scan.scan_axes, *scan.pattern_axes):
            must(canonical(axis.unit) == (axis.unit, 1.0), f"axis {axis.name} in '{axis.unit}'")

    def law_provenance(self) -> None:
        """The source names path, format, reader and where the scan shape is from; metadata are kept."""
        scan = self._read()
        source = scan.source
        must(source.path == self.example.path, f"path {source.path!r}")
        must(source.reader.split()[0] == self.reader.name, f"reader {source.reader!r}")
        must(bool(source.format) and source.format != "array", f"format {source.format!r}")
        must(len(source.scan_shape_from) > 8, f"scan shape from {source.scan_shape_from!r}")
        must(isinstance(scan.original_metadata, Mapping), "original_metadata is no mapping")
        must(all(isinstance(note, str) and note for note in source.notes), f"notes {source.notes}")
        must(not scan.history, "reading is no step of preparation")

    def law_refuses(self) -> None:
        """A data set that is not there is refused with an InputError that says what to do."""
        try:
            self._read(ReadOptions(dataset="no such data"))
        except InputError as error:
            must(bool(error.hint), f"the error says nothing to do: {error}")
            return
        must(False, "dataset='no such data' was read")
