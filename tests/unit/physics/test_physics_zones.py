from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.physics.halo import Halo
from unmixel.physics.zones import ZONES, Cell, Zone, spots


def _near(g: np.ndarray, wanted: np.ndarray) -> int:
    return int(np.argmin(np.linalg.norm(g - wanted, axis=1)))


def test_names_are_unique() -> None:
    assert len({zone.name for zone in ZONES}) == len(ZONES)


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.name)
def test_symmetry_is_the_smallest_turn_that_changes_nothing(zone: Zone) -> None:
    def lists(angle: float) -> np.ndarray:
        g, intensity = spots(zone, rotation_deg=angle)
        inner = np.linalg.norm(g, axis=1) < 0.8
        image = np.zeros((41, 41))
        v, u = np.meshgrid(*(np.linspace(-0.8, 0.8, 41),) * 2, indexing="ij")
        for (gv, gu), height in zip(g[inner], intensity[inner], strict=True):
            image += height * np.exp(-((v - gv) ** 2 + (u - gu) ** 2) / (2 * 0.03**2))
        return image

    base = lists(11.0)
    assert np.allclose(lists(11.0 + zone.symmetry_deg), base, atol=1e-9)
    for divisor in (2, 3):
        assert not np.allclose(lists(11.0 + zone.symmetry_deg / divisor), base, atol=1e-2)


def test_rotation_is_counter_clockwise_as_displayed() -> None:
    g, intensity = spots(ZONES[0], rotation_deg=0.0)
    first = np.linalg.norm(g, axis=1).argmin()
    start = g[first]
    angle = np.arctan2(-start[0], start[1])
    turned, _ = spots(ZONES[0], rotation_deg=25.0)
    assert np.arctan2(-turned[first, 0], turned[first, 1]) == pytest.approx(
        (angle + np.deg2rad(25) + np.pi) % (2 * np.pi) - np.pi
    )
    assert intensity.max() == 1


@pytest.mark.parametrize(
    ("index", "spacings"),
    [
        (0, [3.26, 3.26 / np.sqrt(2), 3.26 / 2]),
        (1, [11.18 / 2, 3.22 / np.sqrt(1 + (3.22 / 11.18) ** 2)]),
        (2, [5.09 / np.sqrt(3), 5.09 / 2, 5.09 / np.sqrt(8)]),
    ],
)
def test_spacings_are_those_of_the_cells(index: int, spacings: list[float]) -> None:
    g, _ = spots(ZONES[index])
    lengths = np.linalg.norm(g, axis=1)
    for spacing in spacings:
        assert np.min(np.abs(lengths - 1 / spacing)) < 1e-9


def test_extinct_spots_are_absent() -> None:
    copper = next(zone for zone in ZONES if zone.cell.name == "Cu")
    lengths = np.linalg.norm(spots(copper)[0], axis=1)
    assert np.min(np.abs(lengths - 1 / 3.615)) > 1e-3
    assert np.min(np.abs(lengths - 2 / 3.615)) < 1e-9
    zirconium = next(zone for zone in ZONES if zone.cell.name == "Zr")
    hkl = np.array([[0, 0, 1], [0, 0, 2]])
    odd, even = zirconium.cell.intensity(hkl)
    assert odd < 1e-12 * even


def test_hexagonal_axes_enclose_sixty_degrees_in_reciprocal_space() -> None:
    a, b, c = Cell("Zr", (3.0, 3.0, 5.0), (), hexagonal=True).reciprocal
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert np.rad2deg(np.arccos(cosine)) == pytest.approx(60)
    assert np.linalg.norm(a) == pytest.approx(2 / np.sqrt(3) / 3)
    assert c == pytest.approx([0, 0, 0.2])


def test_tilt_breaks_the_friedel_pair_and_no_tilt_keeps_it() -> None:
    for tilt, same in (((0.0, 0.0), True), ((8.0, 0.0), False)):
        g, intensity = spots(ZONES[0], tilt_mrad=tilt)
        strongest = int(np.argmax(np.where(np.abs(g[:, 0]) > 0.2, intensity, 0)))
        partner = _near(g, -g[strongest])
        assert bool(np.isclose(intensity[strongest], intensity[partner])) is same


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 2), st.floats(0, 2))
def test_halo_peaks_at_its_first_maximum(first: float, background: float) -> None:
    halo = Halo(first, background)
    g = np.linspace(0.8 * first, 1.2 * first, 801)
    assert g[halo.intensity(g).argmax()] == pytest.approx(first, rel=0.03)
    assert halo.diffuse(np.array([first]))[0] == pytest.approx(1)
    assert np.all(np.diff(halo.diffuse(g)) < 0)


@pytest.mark.parametrize("values", [(0.0, 0.1), (-1.0, 0.1), (0.4, -0.1), (float("nan"), 0.1)])
def test_a_halo_that_is_none_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="first maximum"):
        Halo(*values)
