"""What the page says of trust: errors, stability, places of the residual; nothing where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_result import make_result

from unmixel.dataset.axes import Axis
from unmixel.report.components import component_panels
from unmixel.report.page import page
from unmixel.report.trust import (
    deviation_panels,
    error_panels,
    figure_leftovers,
    figure_uncertainty,
    leftover_words,
    places,
    trust_words,
)

SMALL = {"scan": (13, 29), "detector": (31, 26)}


def make(**kind):
    return make_result(k=3, **{**SMALL, **kind})


def with_left(result, **changes):
    left = replace(result.factors.leftovers, **changes)
    return replace(result, factors=replace(result.factors, leftovers=left))


def test_numbers_of_a_component_are_the_results_own():
    result = make()
    factors = result.factors
    maps = factors.maps[0][factors.maps[0] > 0].astype(float)
    share = np.sqrt(np.mean(maps + 1) / np.mean(maps**2))
    words = trust_words(factors, 0)
    assert f"map {100 * share:.2g} %" in words[0]
    assert words[1:] == ("stability 0.97", "scatter 0.9 × the error")
    assert trust_words(factors, 1)[1:] == ("stability 0.54",)
    assert trust_words(make(with_trust=False).factors, 0) == ()


def test_what_nothing_determines_is_said():
    factors = make().factors
    errors = replace(factors.uncertainty, maps=np.full_like(factors.maps, np.inf), patterns=np.full(
        factors.patterns.shape, np.nan))  # fmt: skip
    assert trust_words(replace(factors, uncertainty=errors), 0)[0] == (
        "standard error: map not determined, pattern not known"
    )


def test_errors_are_pictures_of_pictures_and_bands_of_curves():
    pattern, image = error_panels(make(), 1)
    assert "error" in pattern.quantity
    assert image.values.shape == (13, 29)
    assert pattern.mask is not None
    spectra = make(detector=(138,), pattern_unit=(0.5, "eV"))
    assert error_panels(spectra, 0) is None
    curve, _ = component_panels(spectra, 0)
    np.testing.assert_array_equal(curve.band, spectra.factors.uncertainty.patterns[0])
    assert component_panels(make(with_trust=False), 0)[0].band is None
    assert figure_uncertainty(spectra).get_size_inches()[1] < 1


def test_what_stands_out_is_counted_beside_what_is_expected():
    result = make()
    z = np.zeros((13, 29))
    z[0, :3] = 5.0
    text = " ".join(leftover_words(with_left(result, z_map=z), "detector pixel"))
    assert "3 positions of 377 stand more than 4 standard deviations" in text
    assert "fewer than 0.1 expected" in text
    assert "2 places stand out" in text
    assert "--promote-residual 2" in text
    assert "differences tell something" not in text
    everywhere = with_left(result, z_map=np.full((13, 29), 60.0))
    assert "differences tell something" in " ".join(leftover_words(everywhere, "pixel"))
    assert leftover_words(make(with_trust=False), "pixel") == []


def test_nothing_left_is_said():
    empty = {name: getattr(make().factors.leftovers, name)[:0] for name in (
        "places", "significance", "counts", "maps", "patterns")}  # fmt: skip
    result = with_left(make(), **empty)
    assert "nothing localised is left" in leftover_words(result, "pixel")[-1]
    assert places(result) == ()
    assert "Residual pattern at place" not in page(result)


def test_places_are_in_the_unit_of_the_scan():
    result = make()
    axes = (Axis("y", 13, scale=2.0, offset=10.0, unit="nm"), Axis("x", 29, scale=0.5, unit="nm"))
    result = replace(result, factors=replace(result.factors, scan_axes=axes))
    y, x = result.factors.leftovers.places[0]
    first, second = places(result)
    assert first.where == f"y {10 + 2 * y:g} nm, x {0.5 * x:g} nm"
    assert (first.significance, first.counts, first.size) == ("12.3", "4080", "1 position")
    assert second.counts == "12.3"


def test_the_scale_of_deviations_is_even_and_clipping_is_said():
    result = with_left(make(), z_map=np.full((13, 29), 3.0))
    assert (deviation_panels(result)[0].scale.low, deviation_panels(result)[0].scale.high) == (-4, 4)
    z = np.zeros((13, 29))
    z[0, 0] = 1e4
    assert deviation_panels(with_left(make(), z_map=z))[0].scale.clipped


@pytest.mark.parametrize("kind", [{"scan": (40,)}, {"detector": (138,), "pattern_unit": (0.5, "eV")}])
def test_curves_and_line_scans_are_drawn(kind):
    assert len(figure_leftovers(make(**kind)).axes) >= 2


def test_the_page_says_how_to_read_it():
    text = page(make())
    for words in (
        "Standard errors are those of counting noise", "Stability is the cosine", "Against noise",
        "counts not explained", "Residual pattern at place 1", "Standard error of the map of component 2",
    ):  # fmt: skip
        assert words in text
    bare = page(make(with_trust=False))
    assert "Against noise" not in bare
    assert "Standard errors" not in bare


def test_agreement_of_runs_is_told_beside_each_component():
    factors = make(with_trust=False).factors
    told = [
        {"step": "consensus", "before": 2, "after": 3, "runs": 4},
        {"step": "prune", "before": 3, "after": 3},
    ]
    known = replace(factors, settings={**factors.settings, "refinements": told, "agreement": [4, 3, 1]})
    assert [trust_words(known, index) for index in range(3)] == [
        (f"found in {n} of 4 runs",) for n in (4, 3, 1)
    ]
    assert trust_words(replace(known, settings={**known.settings, "agreement": None}), 0) == ()
