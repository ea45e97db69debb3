"""The beam's kernel: planted shapes are recovered, from the mean, from vacuum or from Bragg spots."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.beam import MeasureBeam, kernel, vacuum_pattern
from unmixel.prepare.masks import MaskBeam
from unmixel.prepare.origin import find_spot

SHAPE, CENTER = (61, 46), (27.3, 21.8)


def cosine(one, other):
    """Cosine of two centred kernels, the smaller one padded with zeros."""
    size = max(one.shape[0], other.shape[0])
    padded = [np.pad(image, (size - image.shape[0]) // 2) for image in (one, other)]
    return float((padded[0] * padded[1]).sum() / np.sqrt((padded[0] ** 2).sum() * (padded[1] ** 2).sum()))


def centre_of(image):
    v, u = np.indices(image.shape)
    middle = (np.array(image.shape) - 1) / 2
    return np.array([(image * v).sum(), (image * u).sum()]) / image.sum() - middle


def counts(beam, gaussian, *, dose=3000.0, scan=(6, 9), seed=0):
    light = dose * beam / beam.sum() + 0.3 * gaussian(SHAPE, CENTER, 15)
    return np.random.default_rng(seed).poisson(light, (*scan, *SHAPE)).astype(np.uint16)


@pytest.mark.parametrize("center", [(27.3, 21.8), (16.55, 29.9), (40.0, 14.5)])
@pytest.mark.parametrize("source", ["auto", "mean", "vacuum"])
@pytest.mark.parametrize(("shape", "size"), [("gaussian", 2.2), ("disk", 3.3)])
def test_planted_beams_are_recovered(disk, gaussian, shape, size, source, center):
    plant = {"gaussian": gaussian, "disk": disk}[shape]
    scan = MeasureBeam(source=source).apply(Scan.from_array(counts(plant(SHAPE, center, size), gaussian)))
    beam = scan.extras["beam"]
    assert beam.shape[0] == beam.shape[1]
    assert beam.shape[0] % 2 == 1
    assert beam.min() >= 0
    assert beam.sum() == pytest.approx(1)
    truth = plant((31, 31), (15.0, 15.0), size)
    assert cosine(beam, truth) > 0.99
    assert np.abs(centre_of(beam)).max() < 0.1
    values = scan.history[-1].values
    assert values["radius_px"] == pytest.approx(1.18 * size if shape == "gaussian" else size, rel=0.12)
    assert scan.extras["mean_pattern"].shape == SHAPE


def test_a_saturated_beam_is_measured_on_bragg_spots(gaussian):
    rng = np.random.default_rng(0)
    places = [(8.3, 9.2), (10.1, 33.6), (26.4, 40.2), (45.7, 35.1), (50.2, 12.8), (30.9, 5.9)]
    present = rng.random((8, 11, len(places))) < 0.5
    light = 3000 * gaussian(SHAPE, CENTER, 1.7) + 4
    spots = np.stack([120 * gaussian(SHAPE, place, 1.7) for place in places])
    data = rng.poisson(light + np.einsum("yxs,svu->yxvu", present, spots))
    scan = Scan.from_array(np.minimum(data, 255).astype(np.uint8))
    measured = MeasureBeam().apply(scan)
    record = measured.history[-1]
    assert record.values["source"] == "spots"
    assert record.values["saturated_pixels"] > 10
    assert "saturated" in record.effect
    truth = gaussian((31, 31), (15.0, 15.0), 1.7)
    assert cosine(measured.extras["beam"], truth) > 0.99
    wide = MeasureBeam(source="mean").apply(scan)
    assert cosine(wide.extras["beam"], truth) < 0.95
    assert "too wide" in wide.history[-1].effect


def test_vacuum_is_where_the_beam_holds_most_of_the_light(gaussian):
    beam = gaussian(SHAPE, CENTER, 2.2)
    data = counts(beam, gaussian, scan=(10, 10))
    spot = 1000 * gaussian(SHAPE, (27.3, 29.8), 2.2) / (2 * np.pi * 2.2**2)
    data[:, 2:] += np.random.default_rng(1).poisson(spot, (10, 8, *SHAPE)).astype(np.uint16)
    scan = Scan.from_array(data)
    image = vacuum_pattern(scan, find_spot(data[:, :2].mean((0, 1))), 0.2)
    np.testing.assert_allclose(image, data[:, :2].mean((0, 1)))
    truth = gaussian((31, 31), (15.0, 15.0), 2.2)
    by_source = {
        source: cosine(MeasureBeam(source, 0.2, radius_px=9).apply(scan).extras["beam"], truth)
        for source in ("mean", "vacuum")
    }
    assert by_source["vacuum"] > 0.99 > 0.98 > by_source["mean"]


def test_the_cut_can_be_given(gaussian):
    scan = Scan.from_array(counts(gaussian(SHAPE, CENTER, 2.2), gaussian))
    beam = MeasureBeam(radius_px=4).apply(scan).extras["beam"]
    assert beam.shape == (9, 9)
    assert beam[0, 0] == 0
    assert beam[4, 0] > 0


def test_beyond_the_edge_the_mirror_image_counts(gaussian):
    image = gaussian(SHAPE, (3.0, 21.0), 2.2)
    shape = kernel(image, find_spot(image, method="beam"), 7)
    assert cosine(shape, gaussian((31, 31), (15.0, 15.0), 2.2)) > 0.99


def test_a_masked_beam_is_refused(gaussian):
    scan = Scan.from_array(counts(gaussian(SHAPE, CENTER, 2.2), gaussian))
    with pytest.raises(InputError, match="before mask_beam"):
        MeasureBeam().apply(MaskBeam(radius=8).apply(scan))


def test_too_few_spots_are_refused(gaussian):
    scan = Scan.from_array(counts(gaussian(SHAPE, CENTER, 2.2), gaussian))
    with pytest.raises(InputError, match="isolated spots"):
        MeasureBeam(source="spots").apply(scan)


@pytest.mark.parametrize("bad", [{"source": "guess"}, {"radius_px": 0.5}, {"n_spots": 2}, {"share": -1}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InputError, match="measure_beam: "):
        MeasureBeam(**bad)
