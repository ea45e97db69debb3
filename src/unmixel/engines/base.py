"""The contract of an engine: an array namespace and the way there and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = Any
"""An array of the engine's own namespace."""


class Blocks(Protocol):
    """The data, block by block, pass by pass; see `blocks.BlockReader`."""

    def __len__(self) -> int:
        """Return the number of blocks."""
        ...

    @property
    def n_positions(self) -> int:
        """Return the number of positions in all blocks."""
        ...

    def load(self, i: int) -> Any:
        """Return block `i`: `positions` on the host, `values` (b, m) at their own width."""
        ...

    @property
    def kept_as(self) -> str:
        """What is held between passes, in words."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Where arrays live. All numerics of `factorize` use only `xp` (array API) and these verbs.

    Attributes
    ----------
    name : str
    xp : module
        Array-API namespace (array-api-compat).
    tile : int
        Numbers that one array of a tile of samples may hold, so that inner loops stay in fast memory.
    exact : bool
        Whether `project` and `combine` are in full precision; what is reported as exact is made without them.
    """

    name: str
    tile: int

    @property
    def exact(self) -> bool:
        """Return whether `project` and `combine` are in full precision."""
        ...

    @property
    def xp(self) -> Any:
        """Return the array-API namespace."""
        ...

    @property
    def fft(self) -> Any:
        """Return the fastest ``rfftn`` and ``irfftn`` for the engine's arrays."""
        ...

    def asarray(self, values: Any, dtype: str | None = None) -> Array:
        """Return `values` (numpy, or the engine's own) on the device; `dtype` is ``float32``/``float64``."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Return zeros on the device."""
        ...

    def resident(self, blocks: Blocks) -> Blocks:
        """Return the blocks with their values where the engine computes, there from the first pass on if they fit."""
        ...

    def operand(self, values: Any, dtype: str) -> Array:
        """Return the values of a block as `project` and `combine` take them, with rows of `dtype`, which they give."""
        ...

    def ready(self, rows: Array) -> Array:
        """Return rows that many blocks are projected on, laid out as `project` takes them fastest."""
        ...

    def project(self, operand: Array, rows: Array) -> Array:
        """Return ``rows operand'``, shape (l, b), in the precision that the user chose for products with data."""
        ...

    def combine(self, rows: Array, operand: Array) -> Array:
        """Return ``rows operand``, shape (l, m), in the same precision."""
        ...

    def to_host(self, array: Array) -> NDArray[Any]:
        """Return an array of the engine as numpy."""
        ...

    def threads(self) -> AbstractContextManager[Any]:
        """Return the context in which products run (limits BLAS threads)."""
        ...

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield ``function(item)`` for every item, in order; shared out to threads where that helps."""
        ...

    def gather(
        self, function: Callable[[Any], Any], items: Iterable[Any], add: Callable[[Any, Any], Any]
    ) -> list[Any]:
        """Return some totals of ``add(total, function(item))`` over the items, each begun with None.

        Which items a total holds, and in which order, depends on nothing but the engine, so that sums are the same in
        every run; `add` may change the total that it is given.
        """
        ...

    def walk(self, task: Any, blocks: Blocks, along: tuple[Array, ...] = ()) -> Any:
        """Return what a task finds in all blocks, a `Found`; see `walk.walk`.

        Parameters
        ----------
        task : Task
            Looks at one block; may be sent to another process.
        blocks : Blocks
            As `resident` gave them.
        along : tuple of array, shape (..., n)
            What the task wants to know of each position: arrays of the engine, or of numpy.
        """
        ...

    def sum_rows(
        self, values: Array, groups: NDArray[Any], size: int, factors: NDArray[Any]
    ) -> tuple[Array, Array]:
        """Return ``sum over i in group g of factors[i] values[i]`` of values (b, m), shape (size, m), as factors.

        Beside it stands the sum of squares of every row, shape (b,), float64: the values are looked at once for both.
        """
        ...


def host_dtype(dtype: Any) -> str:
    """Return the working precision for data of `dtype`: float64 stays, everything else is float32."""
    return "float64" if np.dtype(dtype) == np.float64 else "float32"
