"""MATLAB files up to version 7; version 7.3 is HDF5 and has its reader there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unmixel.core.errors import ReadError
from unmixel.io.build import Found, built
from unmixel.io.pick import Offer, pick
from unmixel.io.plain import plain_axes

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions


@dataclass(frozen=True)
class MatReader:
    """MATLAB arrays; the chosen variable is read whole, because the format cannot be read in part.

    Examples
    --------
    >>> MatReader().accepts("scan.txt")
    False
    """

    name: ClassVar[str] = "mat"

    def accepts(self, path: str) -> bool:
        """Return whether `path` ends in mat and is not HDF5."""
        place = Path(path)
        if place.suffix.lower() != ".mat" or not place.is_file():
            return False
        with place.open("rb") as file:
            return b"MATLAB 7.3" not in file.read(128)

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a MATLAB file, in memory.

        Raises
        ------
        ReadError
            When the file holds no array of plain numbers.
        """
        import scipy
        from scipy.io import loadmat, whosmat

        found = whosmat(path)
        if not found:
            raise ReadError(
                path, expected="a MATLAB file with an array", got="none", hint="save the scan in it"
            )
        wanted = {
            name: shape for name, shape, kind in found if kind not in ("cell", "struct", "char", "object")
        }
        arrays: dict[str, Any] = loadmat(path, variable_names=list(wanted))
        names = [name for name in wanted if name in arrays]
        offers = [
            Offer(n, tuple(arrays[n].shape), arrays[n].dtype, max(0, arrays[n].ndim - 2)) for n in names
        ]
        index, notes = pick(offers, options.dataset, path=path, form="MATLAB")
        data = arrays[names[index]].copy(order="C")
        axes, axis_notes = plain_axes(tuple(data.shape), options.scan_shape)
        return built(
            Found(
                data=data,
                axes=axes,
                path=path,
                form="MATLAB",
                reader=f"{self.name} (SciPy {scipy.__version__})",
                metadata={"header": str(arrays.get("__header__", ""))},
                notes=(*notes, *axis_notes, "MATLAB files cannot be read in part; the array was read whole."),
            )
        )
