"""NMF follows scikit-learn: its own checks, none left out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from unmixel import NMF, Resolution
from unmixel.core.errors import InputError, PluginError


@parametrize_with_checks([NMF(2), NMF(2, solver="hals")])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def test_clone_and_parameters_keep_constraints() -> None:
    model = NMF(3, constraints=(Resolution(2.0),), scan_shape=(4, 5))
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.set_params(n_components=5).n_components == 5


@pytest.mark.parametrize("wrong", [0, -3, 2.5, "many", None])
def test_number_of_components_is_checked(wrong) -> None:
    with pytest.raises(InputError, match="n_components"):
        NMF(wrong).fit(np.ones((5, 4)))


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(PluginError, match="Did you mean 'gradient'"):
        NMF(2, solver="gradiant").fit(np.ones((5, 4)))


def test_neighbours_must_be_known() -> None:
    with pytest.raises(InputError, match="scan_shape"):
        NMF(2, constraints=[Resolution(2.0)]).fit(np.ones((20, 4)))
    NMF(2, constraints=[Resolution(2.0)], scan_shape=(4, 5)).fit(np.ones((20, 4)))


def test_transform_gives_back_the_maps_of_the_fit() -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.random((40, 3)) @ rng.random((3, 25)) * 50).astype(np.uint16)
    model = NMF(3)
    maps = model.fit_transform(X)
    np.testing.assert_allclose(model.transform(X), maps, rtol=1e-3, atol=1e-3 * maps.max())
    assert model.inverse_transform(maps).shape == X.shape
    np.testing.assert_allclose(
        np.linalg.norm(X - model.inverse_transform(maps)), model.reconstruction_err_, rtol=1e-4
    )
