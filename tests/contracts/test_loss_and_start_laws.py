"""Every registered loss and start keeps the laws."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from unmixel.core import registry
from unmixel.factorize.start import GivenStart
from unmixel.testing.losses import LossLaws
from unmixel.testing.starts import StartLaws

FORMS = {
    "array": np.asarray,
    "lazy": lambda table: da.from_array(table, chunks=(7, 20)),
    "sparse": scipy.sparse.csr_matrix,
}


@pytest.mark.parametrize("law", LossLaws.names())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", registry.names("losses"))
def test_loss_keeps_the_law(name: str, form: str, law: str) -> None:
    LossLaws(registry.load("losses", name)(), FORMS[form]).check(law)


@pytest.mark.parametrize("law", StartLaws.names())
@pytest.mark.parametrize("name", registry.names("starts"))
def test_start_keeps_the_law(name: str, law: str) -> None:
    kind = registry.load("starts", name)
    start = kind(np.ones((3, 42)), np.ones((3, 40))) if kind is GivenStart else kind()
    StartLaws(start).check(law)


def test_a_wrong_loss_is_caught() -> None:
    class Doubled:
        name = "doubled"

        def weigh(self, matrix, *, budget):
            return replace(matrix, data=2 * matrix.data)

    with pytest.raises(AssertionError):
        LossLaws(Doubled()).check("products")
