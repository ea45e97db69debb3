"""Vendor files through RosettaSciIO: some forty formats, always lazily where the format allows."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unmixel.core.errors import ReadError, UnmixelError
from unmixel.engines.lazy import is_lazy, wrap
from unmixel.io.arrays import CHUNK_MIN, Viewed, lazy, regrouped
from unmixel.io.build import FileAxis, Found, Role, built, roles
from unmixel.io.diagnose import unreadable
from unmixel.io.instrument import hyperspy_instrument, number, with_mapping
from unmixel.io.messages import heard
from unmixel.io.pick import Offer, distinct, pick
from unmixel.io.plain import plain_axes
from unmixel.io.vendors import VENDORS, Vendor

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions

_EAGER_LIMIT = 2_000_000_000
"""Largest file, in bytes, that is read whole where its format cannot be read lazily."""


def _formats(path: str) -> list[Vendor]:
    """Return the formats that claim the suffix of `path`, without importing their readers.

    Where we know more of some of them, those come alone: the others only share the suffix.
    """
    suffix = Path(path).suffix[1:].lower()
    ours = [vendor for vendor in VENDORS.values() if suffix in vendor.suffixes]
    if ours or not suffix:
        return ours
    from rsciio import IO_PLUGINS

    return [
        Vendor(spec["name"], spec["api"])
        for spec in IO_PLUGINS
        if suffix in {known.lower() for known in spec["file_extensions"]}
    ]


def _version() -> str:
    from rsciio import __version__

    return str(__version__)


def _options(vendor: Vendor, path: str) -> dict[str, Any]:
    """Return the arguments for the format's reader; raw files in one chunk, which is cut up here."""
    options = vendor.options(path)
    takes = inspect.signature(import_module(vendor.module).file_reader).parameters
    return {"chunks": -1, **options} if vendor.raw and "chunks" in takes else options


def _call(vendor: Vendor, path: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return what the format's reader finds, lazily where it can, and notes."""
    reader = import_module(vendor.module).file_reader
    vendor.check(path)
    options = _options(vendor, path)
    try:
        return reader(path, lazy=True, **options), ()
    except (NotImplementedError, ValueError) as error:
        if "lazy" not in str(error).lower():
            raise
    size = Path(path).stat().st_size
    if size > _EAGER_LIMIT:
        raise ReadError(
            path,
            expected=f"a {vendor.form} file of at most {_EAGER_LIMIT // 10**9} GB (it is read whole)",
            got=f"{size / 1e9:.3g} GB",
            hint="convert it to .zspy",
        )
    return reader(path, lazy=False, **options), (
        f"{vendor.form} files cannot be read lazily; it was read whole.",
    )


def _role(axis: Mapping[str, Any], index: int, n_axes: int, record_by: str) -> Role:
    """Return what the file says of an axis; old files say it once for all axes (``record_by``)."""
    if axis.get("navigate") is not None:
        return "scan" if axis["navigate"] else "pattern"
    n_pattern = {"spectrum": 1, "image": 2}.get(record_by)
    if n_pattern is None:
        return "unknown"
    return "pattern" if index >= n_axes - n_pattern else "scan"


def _axis(axis: Mapping[str, Any], size: int, role: Role) -> tuple[FileAxis, str]:
    """Return one axis of RosettaSciIO and a note where it is not uniform."""
    import numpy as np

    name = str(axis.get("name") or "")
    unit = str(axis.get("units") or "")
    values = axis.get("axis")
    if values is None:
        scale, offset = (
            float(axis.get(key, default) or 0.0) for key, default in (("scale", 1.0), ("offset", 0.0))
        )
        if "expression" in axis:
            return FileAxis(size, name, role=role), f"Axis '{name}' is a formula; it is counted in px."
        return FileAxis(size, name, scale, offset, unit, role), ""
    steps = np.diff(np.asarray(values, dtype=float))
    mean = float(steps.mean()) if steps.size else 1.0
    if steps.size and np.max(np.abs(steps - mean)) > 0.01 * abs(mean):
        return FileAxis(size, name, role=role), f"Axis '{name}' is not uniform; it is counted in px."
    return FileAxis(size, name, mean, float(values[0]), unit, role), ""


def _axes(
    entry: Mapping[str, Any], scan_shape: tuple[int, ...] | None = None
) -> tuple[tuple[FileAxis, ...], tuple[str, ...]]:
    """Return the axes of one entry in the order of its data, and notes."""
    shape = tuple(int(size) for size in entry["data"].shape)
    listed: Sequence[Mapping[str, Any]] = entry.get("axes") or ()
    if len(listed) != len(shape):
        return plain_axes(shape, scan_shape)
    signal = entry.get("metadata", {}).get("Signal", {})
    record_by = str(signal.get("record_by", ""))
    pairs = [
        _axis(axis, size, _role(axis, index, len(shape), record_by))
        for index, (axis, size) in enumerate(zip(listed, shape, strict=True))
    ]
    axes, notes = tuple(axis for axis, _ in pairs), tuple(note for _, note in pairs if note)
    told = sum(axis.role == "pattern" for axis in axes)
    if 1 <= told <= 2 or any(axis.is_energy for axis in axes):
        return axes, notes
    plain, guess = plain_axes(shape, scan_shape)
    return tuple(replace(axis, role=p.role) for axis, p in zip(axes, plain, strict=True)), (*notes, *guess)


def _offers(entries: Sequence[Mapping[str, Any]]) -> list[Offer]:
    titles = distinct([str(e.get("metadata", {}).get("General", {}).get("title") or "") for e in entries])
    return [
        Offer(title, tuple(entry["data"].shape), entry["data"].dtype, len(roles(_axes(entry)[0])[0]))
        for title, entry in zip(titles, entries, strict=True)
    ]


def _in_whole_frames(data: Any, pattern: tuple[int, ...]) -> Any:
    """Return the data in chunks of whole frames."""
    n_axes = data.ndim
    one_chunk = is_lazy(data) and all(len(lengths) == 1 for lengths in data.chunks)
    if pattern != tuple(range(n_axes))[-len(pattern) :]:
        return (
            wrap(Viewed(data), tuple(-1 if i in pattern else "auto" for i in range(n_axes)))
            if one_chunk
            else data
        )
    if one_chunk and data.nbytes > CHUNK_MIN:
        return lazy(Viewed(data), len(pattern))
    return regrouped(data, len(pattern))


@dataclass(frozen=True)
class RosettaReader:
    """Every format of RosettaSciIO; takes any file that no other reader wants.

    Examples
    --------
    >>> RosettaReader().accepts("no such file")
    False
    """

    name: ClassVar[str] = "rosetta"

    def accepts(self, path: str) -> bool:
        """Return whether `path` is a file, or a folder that is a HyperSpy zarr store."""
        place = Path(path)
        return place.is_file() or (place.is_dir() and place.suffix.lower() == ".zspy")

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a file, its data unread.

        Raises
        ------
        ReadError
            When no format reads it.
        """
        formats = _formats(path)
        failures: list[Exception] = []
        for vendor in formats:
            try:
                return self._read(vendor, path, options)
            except UnmixelError:
                raise
            except Exception as error:  # noqa: BLE001 - the next format is tried, then one clear error is raised
                failures.append(_let_go(error))
        telling = [error for error in failures if not isinstance(error, ImportError)] or failures
        cause = telling[0] if telling else None
        raise unreadable(path, tuple(vendor.form for vendor in formats), cause) from cause

    def _read(self, vendor: Vendor, path: str, options: ReadOptions) -> Scan:
        reader = f"{self.name} (RosettaSciIO {_version()})"  # imports it, which sets up its loggers
        with heard() as heard_notes:
            found, notes = _call(vendor, path)
            entries = [entry for entry in found if hasattr(entry.get("data"), "shape")]
            index, choice = pick(_offers(entries), options.dataset, path=path, form=vendor.form)
            entry = vendor.corrected(entries[index])
            axes, axis_notes = _axes(entry, options.scan_shape)
            data = _in_whole_frames(entry["data"], roles(axes)[1])
            if vendor.raw:
                _probe(data)
        said = [f"RosettaSciIO: {note}" for note in heard_notes]
        original = entry.get("original_metadata") or {}
        metadata = with_mapping(entry.get("metadata") or {}, original, entry.get("mapping") or {})
        kind = str(metadata.get("Signal", {}).get("signal_type", "")).lower()
        return built(
            Found(
                data=data,
                axes=axes,
                path=path,
                form=vendor.form,
                reader=reader,
                instrument=hyperspy_instrument(metadata, camera_length_mm=vendor.camera_length_mm),
                metadata={"metadata": metadata, "original_metadata": original},
                notes=(*notes, *choice, *vendor.notes(path), *entry.get("notes", ()), *axis_notes, *said),
                diffraction="diffraction" in kind,
            )
        )


def _let_go(error: Exception) -> Exception:
    """Free what the failed reader left open, which an error would keep alive as long as itself."""
    with heard():
        link: BaseException | None = error
        while link is not None:
            traceback.clear_frames(link.__traceback__)
            link = link.__cause__ or link.__context__
    return error


def _probe(data: Any) -> None:
    """Read the last frame: a raw file that was cut off says so now and not in the middle of a run."""
    import numpy as np

    last = data[(-1,) * max(0, data.ndim - 2)]
    np.asarray(last if number(last.size) else data)
