"""The laws of a loss: its products are those of the data, in every form the data may have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.contracts import Loss, Products
from unmixel.factorize.products import products_of


@dataclass(frozen=True)
class LossLaws:
    """Laws that a loss must keep for a table of counts.

    Parameters
    ----------
    loss : Loss
    wrap : callable
        Makes the data of the matrix from a numpy table of shape (30, 20): sparse, lazy, ...
    engine : Engine

    Examples
    --------
    >>> from unmixel.factorize.losses.frobenius import Frobenius
    >>> LossLaws(Frobenius()).check("products")
    """

    loss: Loss
    wrap: Any = np.asarray
    engine: Any = field(default_factory=NumpyEngine)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all laws."""
        return tuple(sorted(name[4:] for name in dir(cls) if name.startswith("law_")))

    def check(self, law: str) -> None:
        """Raise AssertionError where a law is broken."""
        rng = np.random.default_rng(5)
        table = rng.poisson(2.0, (30, 20)).astype(np.uint16)
        matrix = replace(
            Matrix.from_array(self.wrap(table)),
            position_weights=rng.uniform(0.5, 1.5, 30),
            pixel_weights=rng.uniform(0, 2, 20),
        )
        products = products_of(
            self.loss.weigh(matrix, budget=10**6), self.engine, dtype="float64", budget=10**6
        )
        getattr(self, f"law_{law}")(products, matrix, table.astype(np.float64))

    def _put(self, values: NDArray[Any]) -> Any:
        return self.engine.asarray(values, "float64")

    def law_products(self, products: Products, matrix: Matrix, table: NDArray[np.float64]) -> None:
        """``rows X'`` and ``rows X`` are what they say."""
        rng = np.random.default_rng(6)
        rows, columns = rng.random((3, 20)), rng.random((3, 30))
        host = self.engine.to_host
        np.testing.assert_allclose(host(products.with_patterns(self._put(rows))), rows @ table.T, rtol=1e-9)
        np.testing.assert_allclose(host(products.with_maps(self._put(columns))), columns @ table, rtol=1e-9)

    def law_misfit(self, products: Products, matrix: Matrix, table: NDArray[np.float64]) -> None:
        """The misfit of no model is the norm of the data; that of a model is its weighted distance."""
        rng = np.random.default_rng(7)
        maps, patterns = rng.random((2, 30)), rng.random((2, 20))
        rest = (table - maps.T @ patterns) ** 2
        wanted = matrix.position_weights @ rest @ matrix.pixel_weights
        np.testing.assert_allclose(products.misfit2(self._put(maps), self._put(patterns)), wanted, rtol=1e-9)
        nothing = products.misfit2(self._put(0 * maps), self._put(patterns))
        np.testing.assert_allclose(products.norm2, nothing, rtol=1e-9)
