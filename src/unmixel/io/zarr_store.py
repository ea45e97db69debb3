"""Plain zarr stores (folders or zip files ending in ``.zarr``): the largest array that looks like a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unmixel.core.errors import ReadError
from unmixel.io.arrays import lazy
from unmixel.io.build import Found, built, roles
from unmixel.io.pick import Offer, pick
from unmixel.io.plain import plain_axes

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions


def _arrays(node: Any, zarr: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, zarr.Array):
        yield node.path or "data", node
        return
    for name in sorted(node):
        yield from _arrays(node[name], zarr)


@dataclass(frozen=True)
class ZarrReader:
    """zarr arrays and groups, format 2 or 3.

    Examples
    --------
    >>> ZarrReader().accepts("scan.zarr")
    True
    """

    name: ClassVar[str] = "zarr"

    def accepts(self, path: str) -> bool:
        """Return whether `path` ends in zarr."""
        return Path(path).suffix.lower() == ".zarr"

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a zarr store, its data unread.

        Raises
        ------
        ReadError
            When the store holds no array of plain numbers.
        """
        import zarr

        store: Any = zarr.storage.ZipStore(path, mode="r") if Path(path).is_file() else path
        root = zarr.open(store, mode="r")
        found = list(_arrays(root, zarr))
        if not found:
            raise ReadError(path, expected="a zarr store with an array", got="none", hint="check the folder")
        offers = [Offer(name, tuple(a.shape), a.dtype, max(0, a.ndim - 2)) for name, a in found]
        index, notes = pick(offers, options.dataset, path=path, form="zarr")
        array = found[index][1]
        axes, axis_notes = plain_axes(tuple(array.shape), options.scan_shape)
        return built(
            Found(
                data=lazy(array, len(roles(axes)[1])),
                axes=axes,
                path=path,
                form=f"zarr {array.metadata.zarr_format}",
                reader=f"{self.name} (zarr {zarr.__version__})",
                metadata={"root": dict(root.attrs), "array": dict(array.attrs)},
                notes=(*notes, *axis_notes),
            )
        )
