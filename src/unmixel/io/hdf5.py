"""HDF5 that RosettaSciIO does not read lazily: DECTRIS masters, py4DSTEM, MATLAB 7.3, plain HDF5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unmixel.core.errors import ReadError
from unmixel.io.arrays import lazy
from unmixel.io.build import FileAxis, Found, Role, built, roles
from unmixel.io.dectris import is_master, is_side_file, read_master
from unmixel.io.diagnose import signature
from unmixel.io.h5tree import LARGEST_KEPT, datasets, opened, text, tree
from unmixel.io.pick import Offer, pick
from unmixel.io.plain import plain_axes

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions


def _axis_beside(dataset: Any, index: int) -> FileAxis | None:
    """Return the axis that EMD and py4DSTEM write beside the data (``dim0`` or ``dim1``, ...), if any."""
    group = dataset.parent
    first = 0 if "dim0" in group else 1
    dim = group.get(f"dim{index + first}")
    size = int(dataset.shape[index])
    if dim is None or dim.size not in (2, size) or dim.dtype.kind not in "fiu":
        return None
    start, second = (
        (float(value) for value in dim[:2]) if dim.size > 1 else (float(dim[0]), float(dim[0]) + 1)
    )
    name, unit = str(text(dim.attrs.get("name", ""))), str(text(dim.attrs.get("units", "")))
    unit = {"n_m": "nm", "n_m^-1": "1/nm", "pixels": ""}.get(unit.strip("[]"), unit)
    role: Role = "pattern" if name.lower().startswith(("q", "k")) else "scan"
    return FileAxis(size, name, second - start, start, unit, role)


def _axes(dataset: Any, options: ReadOptions) -> tuple[tuple[FileAxis, ...], tuple[str, ...]]:
    beside = [_axis_beside(dataset, index) for index in range(dataset.ndim)]
    if beside and all(axis is not None for axis in beside):
        return tuple(axis for axis in beside if axis is not None), ()
    return plain_axes(tuple(dataset.shape), options.scan_shape)


def _form(file: Any, path: str) -> str:
    """Return the kind of HDF5 file in words."""
    program = str(text(file.attrs.get("authoring_program", "")))
    if program:
        return f"EMD 1.0 HDF5 (py4DSTEM or {program})" if program == "emdfile" else f"HDF5 ({program})"
    if "4DSTEM_experiment" in file:
        return "py4DSTEM HDF5"
    return "MATLAB 7.3" if Path(path).suffix.lower() == ".mat" else "HDF5"


@dataclass(frozen=True)
class Hdf5Reader:
    """HDF5 files without a reader of their own; the largest data set that looks like a scan is read.

    Examples
    --------
    >>> Hdf5Reader().accepts("scan.h5")
    True
    """

    name: ClassVar[str] = "hdf5"

    def accepts(self, path: str) -> bool:
        """Return whether `path` is an .h5 file, or other HDF5 in a layout that RosettaSciIO does not know."""
        suffix = Path(path).suffix.lower()
        if suffix in (".h5", ".he5"):
            return not Path(path).is_dir()
        if suffix not in (".hdf5", ".emd", ".mat") or signature(path) not in ("HDF5", "MATLAB"):
            return False
        try:
            with opened(path) as file:
                known = "emd_group_type" in file.attrs or "4DSTEM_experiment" in file
                return known or (suffix != ".emd" and "Experiments" not in file)
        except OSError:
            return False

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in an HDF5 file, its data unread.

        Raises
        ------
        ReadError
            When there is no array of plain numbers.
        """
        file = opened(path)
        if is_master(file):
            return read_master(file, path)
        if is_side_file(file):
            master = Path(path).with_name(f"{Path(path).stem}_master.h5")
            raise ReadError(
                path,
                expected="the file with the data",
                got="the description that the microscope wrote beside a DECTRIS scan",
                hint=f"open {master.name} beside it",
            )
        form = _form(file, path)
        every = [d for d in datasets(file) if d.size is not None and d.dtype.kind in "uifb" and d.ndim]
        large = [d for d in every if d.size > LARGEST_KEPT or d.ndim > 2]
        candidates = large or [d for d in every if not d.name.rsplit("/", 1)[-1].startswith("dim")]
        if not candidates:
            raise ReadError(
                path,
                expected=f"{form} with an array of numbers",
                got="none",
                hint="give the file with the data",
            )
        offers = [Offer(d.name, tuple(d.shape), d.dtype, max(0, d.ndim - 2)) for d in candidates]
        index, notes = pick(offers, options.dataset, path=path, form=form)
        return self._scan(candidates[index], path, options, form, notes + _neighbour_note(path))

    def _scan(self, dataset: Any, path: str, options: ReadOptions, form: str, notes: tuple[str, ...]) -> Scan:
        import h5py

        axes, axis_notes = _axes(dataset, options)
        metadata: Mapping[str, Any] = tree(dataset.file)
        return built(
            Found(
                data=lazy(dataset, len(roles(axes)[1])),
                axes=axes,
                path=path,
                form=form,
                reader=f"{self.name} (h5py {h5py.__version__})",
                metadata=metadata,
                notes=(*notes, *axis_notes),
                diffraction=len(axes) == 4,
            )
        )


def _neighbour_note(path: str) -> tuple[str, ...]:
    """Return a note where the file is one part of a DECTRIS scan whose master lies beside it."""
    stem, found, _ = Path(path).stem.rpartition("_data_")
    master = Path(path).with_name(f"{stem}_master.h5")
    if not found or not master.is_file():
        return ()
    return (
        f"This is one part of a DECTRIS scan; {master.name} beside it holds the whole and its description.",
    )
