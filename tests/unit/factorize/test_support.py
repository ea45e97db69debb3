"""Components stay in the places that they were given, however long they are fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from unmixel import NMF, Resolution, Sparse, Support
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.dataset.scan import Scan
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind_side
from unmixel.factorize.refinements.split import Split
from unmixel.testing.constraints import ConstraintLaws, context

SCAN, PATTERN = (14, 19), (9, 8)
SPLIT = Split(least=4, grow=1)


@pytest.mark.parametrize("law", ConstraintLaws.names())
@pytest.mark.parametrize("grid", [Grid((13, 29), (1.0, 1.0)), Grid((31,), (2.0,))])
def test_it_keeps_the_laws_of_constraints(grid: Grid, law: str) -> None:
    ConstraintLaws(Support.example(grid), grid).check(law)


@pytest.fixture(scope="module")
def twins():
    """A flat matrix and two particles of one pattern, counts drawn."""
    rng = np.random.default_rng(3)
    maps = np.zeros((3, *SCAN))
    maps[0], maps[1, 3:7, 3:7], maps[2, 8:12, 11:15] = 6, 4, 4
    patterns = rng.gamma(0.4, size=(2, *PATTERN))[[0, 1, 1]]
    patterns /= patterns.mean(axis=(1, 2), keepdims=True)
    return Scan.from_array(rng.poisson(np.tensordot(maps, patterns, (0, 0)))), maps


def test_a_map_is_absent_outside_its_place_but_for_the_blur(twins) -> None:
    scan, maps = twins
    places = np.ones((3, *SCAN), bool)
    places[1:] = maps[1:] > 0
    reach = np.full((7, 7), True)  # four deviations of 1.2 / 2.35 px to every side
    near = [ndimage.binary_dilation(place, reach) for place in places[1:]]
    model = NMF(3, constraints=(Support(places), Resolution(1.2)), max_iter=10, tol=0, sketch_sweeps=10)
    _, *found = model.factorize(scan).maps  # the strongest is the matrix
    for own in found:
        at = max((0, 1), key=lambda i: own[near[i]].sum())
        assert own[places[1 + at]].max() > 0
        assert own[~near[at]].max() == 0


@pytest.mark.parametrize("sweeps", [5, 40])
def test_what_was_split_stays_where_it_is(twins, sweeps: int) -> None:
    scan, maps = twins
    settings = {"tol": 0, "sketch_sweeps": sweeps, "max_iter": sweeps}
    found = NMF(2, constraints=(Sparse(1.0, spare=1),), refine=(SPLIT,), **settings).factorize(scan)
    assert found.n_components == 3
    _, *both = found.maps
    assert not np.any((both[0] > 0) & (both[1] > 0))
    for region in maps[1:]:
        assert max(np.corrcoef(own.ravel(), region.ravel())[0, 1] for own in both) > 0.8


def test_a_split_fit_goes_on_where_it_stood(twins) -> None:
    scan, _ = twins
    model = NMF(2, constraints=(Sparse(1.0, spare=1),), refine=(SPLIT,), tol=0, max_iter=4)
    states = []
    wanted = model.factorize(scan, on_sweep=states.append)
    assert states[1].places.shape == (3, *SCAN)
    again = model.factorize(scan, resume=states[1])
    np.testing.assert_array_equal(again.maps, wanted.maps)


def test_penalties_are_tied_to_the_noise_as_if_a_component_could_be_anywhere() -> None:
    grid = Grid(SCAN, (1.0, 1.0))
    places = np.ones((3, *SCAN), bool)
    places[-1, 5:9, 7:12] = False
    around = context(grid, NumpyEngine(), "float64")
    bound = [
        bind_side("maps", (Resolution(2.0), Sparse(2.0), *more), around) for more in ((), (Support(places),))
    ]
    free, held = (side.proximal[0].weights for side in bound)
    np.testing.assert_array_equal(free, held)


@pytest.mark.parametrize("places", [np.ones((4, *SCAN), bool), np.ones((3, *SCAN)), np.ones((5, 5), bool)])
def test_places_that_do_not_fit_are_refused(places) -> None:
    with pytest.raises(InputError, match="true and false"):
        Support(places).bind(context(Grid(SCAN, (1.0, 1.0)), NumpyEngine(), "float64"))
