"""Remarks, groups and particles on the measured MgO cubes, factorised by scikit-learn so that nothing else matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interpret_phantoms import make_factors, pattern_axes, scan_axes

from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.flags import flag_components, is_artefact
from unmixel.interpret.measure import Measure

SCAN = Path(__file__).parents[3] / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"


@pytest.fixture(scope="module")
def factors():
    if not SCAN.exists():
        pytest.skip("the MgO scan is not beside the repository")
    from rsciio.zspy import file_reader
    from sklearn.decomposition import NMF

    data = file_reader(SCAN, lazy=True)[0]["data"][:104, :104]
    binned = data.reshape(52, 2, 52, 2, 72, 2, 72, 2).sum(axis=(1, 3, 5, 7)).compute().astype(np.float32)
    center = (35.6, 35.9)
    v, u = np.indices((72, 72))
    used = np.hypot(v - center[0], u - center[1]) > 4.5
    model = NMF(12, init="nndsvda", max_iter=150, random_state=0)
    maps = model.fit_transform(binned.reshape(-1, 72 * 72)[:, used.ravel()])
    patterns = np.zeros((12, 72, 72))
    patterns[:, used] = model.components_
    share = model.components_.sum(axis=1)
    maps = (maps * share).T.reshape(12, 52, 52)
    return make_factors(
        patterns / share[:, None, None],
        maps=maps,
        used=used,
        strengths=maps.sum(axis=(1, 2)),
        axes=pattern_axes((72, 72), center),
        on=scan_axes((52, 52), (6.06, 6.06)),
    )


CUBES = {
    "big": (25, 10),
    "top right": (5, 38),
    "tilted": (14, 42),
    "diamond": (14, 14),
    "lower left": (45, 10),
}
VACUUM = {"right": (24, 42), "bottom": (45, 40)}


def enriched(factors, place):
    """Return the component that is concentrated most at a place of the scan."""
    y, x = place
    here = factors.maps[:, y - 1 : y + 2, x - 1 : x + 2].mean(axis=(1, 2))
    return int(np.argmax(here / np.maximum(factors.maps.mean(axis=(1, 2)), 1e-9)))


@pytest.mark.real
@pytest.mark.slow
def test_artefacts_are_flagged_and_cubes_are_not(factors) -> None:
    found = flag_components(factors)
    for name, place in CUBES.items():
        assert not is_artefact(found[enriched(factors, place)]), name
    for name, place in VACUUM.items():
        assert is_artefact(found[enriched(factors, place)]), name


@pytest.mark.real
@pytest.mark.slow
def test_cubes_are_crystals_and_measured(factors) -> None:
    flagged = replace(factors, flags=flag_components(factors))
    groups = RotationClusterer().group(flagged, seed=0)
    particles = Measure(fwhm=None).measure(flagged, groups, seed=0)
    for name, place in CUBES.items():
        component = enriched(factors, place)
        assert groups.crystalline[groups.labels[component]], name
        assert particles.labels[(slice(None), *place)].any(), name
    for name, place in VACUUM.items():
        assert not particles.labels[(slice(None), *place)].any(), name
