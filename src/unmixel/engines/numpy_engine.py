"""The in-process reference engine: numpy. The oracle of every parity test."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NumpyEngine:
    """numpy on the CPU.

    Parameters
    ----------
    n_threads : int or None
        Limit of BLAS threads; None leaves them as they are. One is the default: the inner products are small, and
        two threads that wait for each other on a busy machine were measured ten times slower.

    Examples
    --------
    >>> NumpyEngine().asarray([1, 2], "float32").dtype
    dtype('float32')
    """

    n_threads: int | None = 1
    name: ClassVar[str] = "numpy"

    @property
    def xp(self) -> Any:
        """Return array-api-compat's numpy namespace."""
        import array_api_compat.numpy as xp

        return xp

    @property
    def fft(self) -> Any:
        """Return scipy's transforms (three times faster than numpy's in float32)."""
        import scipy.fft

        return scipy.fft

    def asarray(self, values: Any, dtype: str | None = None) -> NDArray[Any]:
        """Return `values` as a numpy array."""
        return np.asarray(values, dtype=dtype)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return the array itself."""
        return np.asarray(array)

    def threads(self) -> AbstractContextManager[Any]:
        """Return a context that limits BLAS threads."""
        from threadpoolctl import threadpool_limits

        limits: AbstractContextManager[Any] = threadpool_limits(limits=self.n_threads)
        return limits
