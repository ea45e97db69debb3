"""torch: the GPU where there is one, the CPU so that tests can run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import MissingExtraError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class TorchEngine:
    """torch on a device.

    Parameters
    ----------
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    """

    device: str = "auto"
    name: ClassVar[str] = "torch"
    tile: ClassVar[int] = 2**62

    @property
    def _torch(self) -> Any:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError("torch", extra="torch", purpose="The torch engine") from error
        return torch

    @property
    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if self._torch.cuda.is_available() else "cpu"

    @property
    def xp(self) -> Any:
        """Return array-api-compat's torch namespace."""
        _ = self._torch
        import array_api_compat.torch as xp

        return xp

    @property
    def fft(self) -> Any:
        """Return torch's transforms."""
        return self.xp.fft

    def asarray(self, values: Any, dtype: str | None = None) -> Any:
        """Return `values` as a tensor on the device; integer blocks travel at their own width."""
        host = np.ascontiguousarray(values)
        wanted = getattr(self._torch, dtype) if dtype else None
        if host.dtype == np.uint32:
            host = host.astype(np.int64)
        if not host.flags.writeable:
            host = host.copy()
        return self._torch.from_numpy(host).to(self._device).to(wanted)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return a tensor as numpy."""
        return np.asarray(array.detach().cpu().numpy())

    def threads(self) -> AbstractContextManager[Any]:
        """Return a context that does nothing: torch keeps its own threads."""
        return nullcontext()

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` one after the other: the device shares out the work by itself."""
        return map(function, items)

    def sum_rows(self, values: Any, groups: NDArray[Any], size: int) -> Any:
        """Return the sums of rows that fall into the same of `size` groups, shape (size, m)."""
        index = self.asarray(np.asarray(groups, np.int64))
        out = self._torch.zeros((size, values.shape[1]), dtype=values.dtype, device=values.device)
        return out.index_add_(0, index, values)
