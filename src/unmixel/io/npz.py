"""NumPy files: ``.npy``, and ``.npz`` with the layout of docs/reference/formats.md."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.io.arrays import Mapped, lazy
from unmixel.io.build import Found, built, roles
from unmixel.io.pick import Offer, pick
from unmixel.io.plain import described_axes, plain_axes

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions

_DATA_KEYS = ("data", "X")
_ENERGY_KEYS = ("ev", "energy")
_TEXT_KEYS = ("axes", "metadata", "meta")


@dataclass(frozen=True)
class _Header:
    """What an npy header says, and the bytes it takes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str
    size: int


def _header(file: IO[bytes]) -> _Header:
    """Return the header of an npy file or member.

    Raises
    ------
    ValueError
        When it is none.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return _Header(shape, dtype, "F" if fortran else "C", file.tell())


@dataclass(frozen=True)
class _Packed:
    """A compressed member of an npz file, unpacked up to what is asked for; going back starts anew."""

    path: str
    member: str
    header: _Header
    lock: Any = field(default_factory=Lock, compare=False, repr=False)
    state: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    in_order: ClassVar[bool] = True

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is best read at once: a row of the first axis."""
        return (1, *self.header.shape[1:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of its values."""
        return self.header.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.header.shape)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (self.path, Path(self.path).stat().st_mtime_ns, self.member)

    def _rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start..stop-1 of the first axis."""
        row = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        with self.lock:
            stream = self.state.get("stream")
            if stream is None:
                archive = zipfile.ZipFile(self.path)  # stays open as long as the scan
                stream = self.state["stream"] = archive.open(self.member)
            stream.seek(self.header.size + start * row)
            raw = stream.read((stop - start) * row)
        return np.frombuffer(raw, self.dtype).reshape(stop - start, *self.shape[1:])

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        if not keys or not isinstance(keys[0], slice) or (keys[0].step or 1) < 1:
            return np.array(self._rows(0, self.shape[0])[key])
        start, stop, step = keys[0].indices(self.shape[0])
        return np.array(self._rows(start, max(start, stop))[(slice(None, None, step), *keys[1:])])


def _member(path: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    """Return a member as something to read slices from: mapped where it is not compressed."""
    with archive.open(info) as file:
        header = _header(file)
    if info.compress_type != zipfile.ZIP_STORED:
        return _Packed(path, info.filename, header)
    with Path(path).open("rb") as raw:
        raw.seek(info.header_offset + 26)
        name, extra = (int.from_bytes(raw.read(2), "little") for _ in range(2))
    start = info.header_offset + 30 + name + extra + header.size
    return Mapped(path, header.dtype, header.shape, start, header.order)


def _members(path: str) -> dict[str, Any]:
    """Return name -> array-like of all members, unread.

    Raises
    ------
    ValueError, zipfile.BadZipFile
        When the file is damaged.
    """
    if Path(path).suffix.lower() == ".npy":
        with Path(path).open("rb") as file:
            header = _header(file)
        mapped = Mapped(path, header.dtype, header.shape, header.size, header.order)
        size = Path(path).stat().st_size
        if size < mapped.stop and not header.dtype.hasobject:
            raise ValueError(f"truncated: {size} bytes instead of {mapped.stop}")
        return {"data": mapped}
    with zipfile.ZipFile(path) as archive:
        return {
            info.filename.removesuffix(".npy"): _member(path, archive, info)
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }


def _whole(member: Any) -> NDArray[Any]:
    """Return a member in memory, in row order."""
    if isinstance(member, Mapped):
        return np.array(member[...], order="C")
    with zipfile.ZipFile(member.path) as archive, archive.open(member.member) as file:
        return np.array(np.lib.format.read_array(file, allow_pickle=False), order="C")


def _texts(members: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: str(_whole(members[key]))
        for key in _TEXT_KEYS
        if key in members and members[key].dtype.kind in "US"
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class NpzReader:
    """``.npy`` and ``.npz`` files.

    Examples
    --------
    >>> NpzReader().accepts("scan.npz")
    True
    """

    name: ClassVar[str] = "npz"

    def accepts(self, path: str) -> bool:
        """Return whether `path` ends in npy or npz."""
        return Path(path).suffix.lower() in (".npy", ".npz") and not Path(path).is_dir()

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a NumPy file, its data unread.

        Raises
        ------
        ReadError
            When there are no data of plain numbers.
        """
        form = f"NumPy {Path(path).suffix[1:].lower()}"
        members = _members(path)
        key, notes = _chosen(members, options, path, form)
        member = members[key]
        texts = _texts(members)
        shape = tuple(member.shape)
        axis_notes: tuple[str, ...]
        if "axes" in texts and key in _DATA_KEYS:
            axes, axis_notes = described_axes(texts["axes"], shape), ()
        else:
            axes, axis_notes = plain_axes(shape, options.scan_shape, _energies(members, shape))
        if isinstance(member, _Packed):
            axis_notes += ("The data are compressed: they are read in order, and unpacked again to go back.",)
        data = _whole(member) if _awkward(member) else lazy(member, len(roles(axes)[1]))
        return built(
            Found(
                data=data,
                axes=axes,
                path=path,
                form=form,
                reader=f"{self.name} (NumPy {np.__version__})",
                metadata={name: _parsed(text) for name, text in texts.items()},
                notes=(*notes, *axis_notes),
            )
        )


def _awkward(member: Any) -> bool:
    """Return whether an array is in column order inside a compressed file, so that rows lie apart."""
    return isinstance(member, _Packed) and member.header.order == "F" and member.ndim > 1


def _chosen(
    members: Mapping[str, Any], options: ReadOptions, path: str, form: str
) -> tuple[str, tuple[str, ...]]:
    """Return the key of the data and notes."""
    keys = [key for key in members if key not in _TEXT_KEYS]
    offers = [
        Offer(key, tuple(members[key].shape), members[key].dtype, max(0, len(members[key].shape) - 2))
        for key in keys
    ]
    if options.dataset is None:
        for key in _DATA_KEYS:
            if key in keys and offers[keys.index(key)].numeric:
                return key, ()
    if not keys:
        raise ReadError(
            path, expected=f"{form} with an array", got="none", hint="save the scan under the key 'data'"
        )
    index, notes = pick(offers, options.dataset, path=path, form=form)
    return keys[index], notes


def _energies(members: Mapping[str, Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    for key in _ENERGY_KEYS:
        if key in members and tuple(members[key].shape) == shape[-1:] and len(shape) > 1:
            return _whole(members[key]).astype(float)
    return None
