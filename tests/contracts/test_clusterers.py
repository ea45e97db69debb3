"""Every registered clusterer keeps the laws, on diffraction patterns or spectra or both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.interpret.cluster import SpectrumClusterer
from unmixel.testing.clusterers import ClustererLaws, diffraction_factors, spectrum_factors

FACTORS = {"diffraction": diffraction_factors(), "spectrum": spectrum_factors()}


def cases():
    for name in registry.names("clusterers"):
        clusterer = registry.load("clusterers", name)()
        for kind, factors in FACTORS.items():
            try:
                clusterer.group(factors, seed=0)
            except InputError:
                continue
            yield pytest.param(clusterer, factors, id=f"{name}-{kind}")


@pytest.mark.parametrize("law", ClustererLaws.names())
@pytest.mark.parametrize(("clusterer", "factors"), list(cases()))
def test_clusterer_keeps_the_law(clusterer, factors, law: str) -> None:
    ClustererLaws(clusterer, factors).check(law)


def test_every_clusterer_is_tried_and_both_kinds_are() -> None:
    tried = {case.id for case in cases()}
    assert {f"{name}-diffraction" for name in registry.names("clusterers")} <= tried
    assert any(name.endswith("-spectrum") for name in tried)


@dataclass(frozen=True)
class Lopsided(SpectrumClusterer):
    """Breaks a law that `broken` names."""

    broken: str = ""

    def group(self, factors, *, seed):
        groups = super().group(factors, seed=seed)
        k = len(groups.labels)
        changes = {
            "distance": {"distance": groups.distance + np.triu(np.full((k, k), 0.01), 1)},
            "labels_are_sorted_by_strength": {"labels": groups.labels.max() - groups.labels},
            "maps_are_summed": {"maps": groups.maps * 1.01},
            "linkage_and_cut": {"cut": 1.0},
            "shapes": {"rotation_deg": np.full(k, 180.0)},
            "same_seed_same_groups": {"cut": groups.cut + np.random.default_rng().random() * 1e-6},
            "one_component": {"patterns": groups.patterns * 2},
        }
        return replace(groups, **changes[self.broken])


@pytest.mark.parametrize(
    "law",
    [
        "distance", "labels_are_sorted_by_strength", "maps_are_summed", "linkage_and_cut", "shapes",
        "same_seed_same_groups", "one_component",
    ],
)  # fmt: skip
def test_a_broken_clusterer_is_caught(law: str) -> None:
    with pytest.raises(AssertionError):
        ClustererLaws(Lopsided(broken=law), FACTORS["spectrum"]).check(law)
