"""The laws of a clusterer: every registered one is held to them, and third parties can hold theirs.

for law in ClustererLaws.names():
    ClustererLaws(MyClusterer(...)).check(law)
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Convergence, Factors, Groups
from unmixel.interpret.contract import Clusterer
from unmixel.testing.laws import Laws

SCAN_SHAPE = (13, 29)
DETECTOR_SHAPE = (63, 54)
SEED = 3


def factors_of(patterns: NDArray[Any], used: NDArray[np.bool_], axes: tuple[Axis, ...]) -> Factors:
    """Return factors around patterns, with maps and strengths that differ from component to component.

    Parameters
    ----------
    patterns : ndarray, shape (k, *pattern_shape), >= 0
    used : ndarray of bool, shape pattern_shape
    axes : tuple of Axis
        Pattern axes.
    """
    k = len(patterns)
    rng = np.random.default_rng(k)
    maps = rng.random((k, *SCAN_SHAPE)) * (k + 1.0 - np.arange(k))[:, None, None]
    clean = np.where(used, patterns, 0.0)
    clean /= clean.reshape(k, -1).sum(axis=1).reshape(k, *(1,) * used.ndim)
    return Factors(
        maps=maps,
        patterns=clean,
        scan_axes=tuple(Axis(n, s, unit="nm") for n, s in zip("yx", SCAN_SHAPE, strict=True)),
        pattern_axes=axes,
        used_pixels=used,
        fill="zero",
        strengths=maps.sum(axis=(1, 2)) / maps.sum(),
        convergence=Convergence((1.0,), 0.0, 1, converged=True, reason="made up"),
    )


def diffraction_factors() -> Factors:
    """Return eight patterns on a detector that is not square: three lattices, each turned, and two halos.

    Components 0, 3 show one lattice, 1, 4 a second, 2, 5 a third, each in two rotations; 6 and 7 are halos of
    two glasses. The direct beam is masked.
    """
    v, u = np.indices(DETECTOR_SHAPE, dtype=np.float64)
    center = (31.0, 26.5)
    up, right = center[0] - v, u - center[1]
    radius = np.hypot(up, right)
    halo = np.exp(-(((radius - 12) / 3) ** 2)) + 0.5 * np.exp(-radius / 12)
    cells = (((9, 0), (0, 9)), ((13, 0), (6.5, 11.26)), ((8, 0), (0, 14)))
    patterns = [
        _lattice(up, right, cells[index % 3], degrees) + 0.2 * halo
        for index, degrees in enumerate((0.0, 10.0, 25.0, 37.0, 33.0, 80.0))
    ]
    patterns += [halo, np.exp(-(((radius - 17) / 3) ** 2)) + 0.5 * np.exp(-radius / 12)]
    axes = tuple(
        Axis(n, s, scale=0.02, offset=-0.02 * c, unit="1/angstrom")
        for n, s, c in zip("vu", DETECTOR_SHAPE, center, strict=True)
    )
    return factors_of(np.array(patterns), radius > 5, axes)


def spectrum_factors() -> Factors:
    """Return six spectra: two of each of three kinds, the second a little different, some channels unused."""
    channel = np.arange(61.0)

    def lines(*places: float) -> NDArray[np.float64]:
        return np.asarray(0.05 + sum(np.exp(-(((channel - place) / 2) ** 2)) for place in places))

    kinds = [lines(10, 30), lines(20, 45), lines(15, 52)]
    spectra = np.array([*kinds, *(kind * (1 + 0.02 * np.sin(channel)) for kind in kinds)])
    return factors_of(spectra, channel > 4, (Axis("energy", 61, scale=10.0, unit="eV"),))


@dataclass(frozen=True)
class ClustererLaws(Laws):
    """Laws that a clusterer must keep.

    Parameters
    ----------
    clusterer : Clusterer
    factors : Factors
        What it is tried on: `diffraction_factors` or `spectrum_factors`, or one's own.

    Examples
    --------
    >>> from unmixel.interpret.cluster import SpectrumClusterer
    >>> laws = ClustererLaws(SpectrumClusterer(), spectrum_factors())
    >>> [laws.check(law) for law in ClustererLaws.names()][0] is None
    True
    """

    clusterer: Clusterer
    factors: Factors = field(default_factory=diffraction_factors)

    def _groups(self, factors: Factors | None = None, seed: int = SEED) -> Groups:
        return self.clusterer.group(factors or self.factors, seed=seed)

    def _chosen(self, order: Any) -> Factors:
        """Return the factors of some components, in an order."""
        parts = {name: getattr(self.factors, name)[order] for name in ("maps", "patterns", "strengths")}
        return replace(self.factors, **parts)

    def law_is_a_frozen_plug_in(self) -> None:
        """A frozen dataclass with a registered name and JSON-safe parameters."""
        plug_in: Any = self.clusterer
        assert isinstance(self.clusterer, Clusterer)
        assert hasattr(plug_in, "__dataclass_params__"), "write it as a dataclass"
        assert plug_in.__dataclass_params__.frozen, "freeze it: @dataclass(frozen=True)"
        assert replace(plug_in, **json.loads(json.dumps(asdict(plug_in)))) == plug_in
        registered = plug_in.name in registry.names("clusterers")
        assert not registered or registry.load("clusterers", plug_in.name) is type(plug_in)

    def law_shapes(self) -> None:
        """Every field has the shape that `Groups` promises, numbers are finite, reasons are given."""
        groups, k = self._groups(), self.factors.n_components
        g = groups.n_groups
        assert groups.labels.shape == (k,)
        assert groups.distance.shape == (k, k)
        assert groups.rotation_deg.shape == (k,)
        assert groups.linkage.shape == (k - 1, 4)
        assert groups.patterns.shape == (g, *self.factors.patterns.shape[1:])
        assert groups.maps.shape == (g, *self.factors.maps.shape[1:])
        assert groups.crystalline.shape == (g,)
        assert groups.crystalline.dtype == bool
        assert np.all((groups.rotation_deg >= -180) & (groups.rotation_deg < 180)), groups.rotation_deg
        assert all(np.all(np.isfinite(part)) for part in (groups.patterns, groups.maps, groups.distance))
        assert groups.scan_axes == self.factors.scan_axes
        assert groups.pattern_axes == self.factors.pattern_axes
        assert groups.cut_reason
        assert groups.method
        assert len(groups.center) in (0, 2)

    def law_labels_are_sorted_by_strength(self) -> None:
        """Labels are 0..g-1; groups come in order of summed strength; the strongest is not turned."""
        groups = self._groups()
        assert sorted(set(groups.labels.tolist())) == list(range(groups.n_groups))
        total = np.bincount(groups.labels, weights=self.factors.strengths)
        assert np.all(np.diff(total) <= 1e-12), total
        for group in range(groups.n_groups):
            members = np.flatnonzero(groups.labels == group)
            head = members[np.argmax(self.factors.strengths[members])]
            assert groups.rotation_deg[head] == 0, groups.rotation_deg[members]

    def law_distance(self) -> None:
        """Symmetric, zero diagonal, in [0, 1]; turning never makes patterns less alike."""
        groups = self._groups()
        distance = groups.distance
        np.testing.assert_allclose(distance, distance.T, atol=1e-12)
        assert np.all(np.diag(distance) == 0)
        assert distance.min() >= 0
        assert distance.max() <= 1
        if groups.distance_unturned is not None:
            assert np.all(groups.distance_unturned >= distance - 1e-9)

    def law_linkage_and_cut(self) -> None:
        """The tree is the average linkage of the distance; the labels are its cut below `cut`."""
        from scipy.cluster.hierarchy import fcluster, linkage
        from scipy.spatial.distance import squareform

        groups = self._groups()
        tree = linkage(squareform(groups.distance, checks=False), "average")
        np.testing.assert_allclose(groups.linkage[:, 2], tree[:, 2], atol=1e-12)
        assert 0 < groups.cut <= 1
        expected = fcluster(tree, groups.cut - 1e-12, criterion="distance")
        assert _same_partition(groups.labels, expected), (groups.labels, expected)

    def law_maps_are_summed(self) -> None:
        """A group's map is the sum of its members' maps: no count is lost."""
        groups = self._groups()
        for group, image in enumerate(groups.maps):
            np.testing.assert_allclose(
                image, self.factors.maps[groups.labels == group].sum(axis=0), rtol=1e-12
            )

    def law_copies_share_a_group(self) -> None:
        """A component and its copy are in one group, at distance 0."""
        k = self.factors.n_components
        groups = self._groups(self._chosen(np.concatenate([np.arange(k), [0, k - 1]])))
        assert groups.labels[k] == groups.labels[0]
        assert groups.labels[k + 1] == groups.labels[k - 1]
        assert groups.distance[0, k] < 1e-4

    def law_one_component(self) -> None:
        """One component is one group, with its own pattern and map."""
        groups, alone = self._groups(self._chosen([0])), self._chosen([0])
        assert groups.labels.tolist() == [0]
        assert groups.linkage.shape == (0, 4)
        used = np.asarray(alone.used_pixels, bool)
        np.testing.assert_allclose(groups.patterns[0][used], alone.patterns[0][used], rtol=1e-6)

    def law_same_seed_same_groups(self) -> None:
        """The same seed gives the same numbers."""
        first, second = self._groups(), self._groups()
        for name in ("labels", "distance", "rotation_deg", "patterns"):
            assert np.array_equal(getattr(first, name), getattr(second, name)), name
        assert first.cut == second.cut

    def law_scale_does_not_matter(self) -> None:
        """Counts a thousand times larger, or patterns not normalised, give the same groups."""
        louder = replace(self.factors, maps=self.factors.maps * 1e3, patterns=self.factors.patterns * 7.0)
        first, second = self._groups(), self._groups(louder)
        assert np.array_equal(first.labels, second.labels)
        np.testing.assert_allclose(first.distance, second.distance, atol=1e-4)

    def law_order_does_not_matter(self) -> None:
        """Components in another order are grouped alike."""
        order = np.random.default_rng(0).permutation(self.factors.n_components)
        first, second = self._groups(), self._groups(self._chosen(order))
        np.testing.assert_allclose(first.distance[np.ix_(order, order)], second.distance, atol=1e-4)
        assert np.array_equal(first.labels[order], second.labels), (first.labels[order], second.labels)

    def law_input_is_untouched(self) -> None:
        """Read-only factors are good enough."""
        copies = {name: getattr(self.factors, name).copy() for name in ("maps", "patterns", "strengths")}
        for array in copies.values():
            array.flags.writeable = False
        groups = self._groups(replace(self.factors, **copies))
        assert np.array_equal(groups.labels, self._groups().labels)


def _lattice(up: Any, right: Any, cell: Any, degrees: float) -> NDArray[np.float64]:
    """Return round spots on a lattice, weaker outwards, turned counter-clockwise as displayed."""
    angle = np.radians(degrees)
    image = np.zeros(up.shape)
    for h in range(-5, 6):
        for k in range(-5, 6):
            x, y = h * cell[0][0] + k * cell[1][0], h * cell[0][1] + k * cell[1][1]
            reach = np.hypot(x, y)
            if reach == 0 or reach > 40:
                continue
            x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            image += np.exp(-reach / 15) * np.exp(-((right - x) ** 2 + (up - y) ** 2) / (2 * 1.6**2))
    return image


def _same_partition(one: NDArray[Any], other: NDArray[Any]) -> bool:
    same = [labels[:, None] == labels[None, :] for labels in (np.asarray(one), np.asarray(other))]
    return bool(np.array_equal(*same))
