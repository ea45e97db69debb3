"""Which of some candidate structures a spot pattern belongs to: phase, zone axis, rotation and scale at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.phases import BY_NOTHING, BY_SPOTS, PhaseAnswer, PhaseMatch
from unmixel.physics.crystal import Crystal, Float
from unmixel.physics.kinematic import SpotPattern, excitation, zero_layer

TURNS = 4
"""Rotations of a template that are looked at closely."""

STEPS, CLOSE = 3, 5
"""Tilts that are tried on either side along each axis, and matches of a candidate at which finer ones are."""

EXPLAINED = 0.85
"""Share of the measured root intensity that a structure must explain: what it leaves over is of something else."""

FEWEST = 6
"""Spots that a pattern must have to be told apart from chance."""


@dataclass(frozen=True)
class Identifier:
    """Finds the candidate that explains the spots of a pattern.

    Every candidate is tried along every direction with small indices, at every in-plane rotation (pairs of measured
    and expected spots of the same radius vote for the angle between them) and at every scale within the tolerance.
    Angle and scale are then refined by least squares, and the crystal is tilted off its zone axis until its intensities
    fit. What is compared are root intensities, since dynamical scattering changes intensities between crystals of one
    structure.

    Parameters
    ----------
    candidates : tuple of Crystal
    voltage_kV : float
    tolerance : float, > 0
        Distance at which a measured and an expected spot still count as one, in 1/angstrom: about the size of a spot.
    scale_tolerance : float, 0 to 0.2
        How wrong the calibration of the detector may be.
    scale : float
        Measured over true spatial frequency as far as it is known; the tolerance lies about it.
    thickness : float
        Of the crystals along the beam, in angstrom; decides how far off the Ewald sphere reflections are seen.
    largest : int
        Largest index of a zone axis.
    tilt_deg : float, >= 0
        How far crystals may be tilted off a zone axis.
    least : float, 0 to 1
        Score below which the answer is "unknown".

    Examples
    --------
    >>> from unmixel.physics.kinematic import frame, spot_pattern
    >>> copper, aluminium = Crystal.face_centred("Cu", 3.615), Crystal.face_centred("Al", 4.05)
    >>> seen = spot_pattern(copper, frame(copper, (0, 1, 1)), reach=1.0)
    >>> answer = Identifier((copper, aluminium), largest=1).answer(seen.g, seen.intensity, reach=1.0)
    >>> answer.phase, round(answer.matches[0].score, 2), answer.matches[0].zone_axis
    ('Cu', 1.0, (1, 1, 0))
    """

    candidates: tuple[Crystal, ...]
    voltage_kV: float = 300.0  # noqa: N815 - kV is how it is written
    tolerance: float = 0.02
    scale_tolerance: float = 0.02
    scale: float = 1.0
    thickness: float = 70.0
    largest: int = 3
    tilt_deg: float = 3.0
    least: float = 0.9

    def __post_init__(self) -> None:
        names = [crystal.name for crystal in self.candidates]
        if not names or len(set(names)) < len(names):
            raise InputError(
                "candidates",
                expected="at least one structure, each with a name of its own",
                got=", ".join(names) or "none",
                hint="give other names, for instance to the CIF files",
            )
        if not (
            self.tolerance > 0
            and self.scale > 0
            and 0 <= self.scale_tolerance <= 0.2
            and 0 <= self.least <= 1
            and self.tilt_deg >= 0
        ):
            raise InputError(
                "Identifier",
                expected="tolerance and scale > 0, scale_tolerance 0 to 0.2, least 0 to 1, tilt_deg >= 0",
                got=f"{self.tolerance}, {self.scale}, {self.scale_tolerance}, {self.least}, {self.tilt_deg}",
                hint="the defaults suit patterns calibrated to 2 %",
            )

    def answer(self, g: Float, intensity: Float, *, reach: float, inner: float = 0.0) -> PhaseAnswer:
        """Return which candidate explains some spots.

        Parameters
        ----------
        g : ndarray, shape (n, 2)
            (v, u) of the spots in 1/angstrom, v down, u right, from the direct beam.
        intensity : ndarray, shape (n,)
            > 0, in any unit.
        reach : float
            Spatial frequency up to which spots would have been seen.
        inner : float
            Spatial frequency from which on they would have been (a masked beam hides those within).
        """
        g, intensity = np.asarray(g, np.float64).reshape(-1, 2), np.asarray(intensity, np.float64)
        length = np.linalg.norm(g, axis=1)
        kept = np.flatnonzero((length >= inner) & (length <= reach) & (intensity > 0))
        if len(kept) < FEWEST:
            reason = f"{len(kept)} of the {FEWEST} spots that it takes to tell crystals apart"
            return PhaseAnswer("unknown", reason, g=g, intensity=intensity)
        measured = Measured(g[kept], np.sqrt(intensity[kept]), kept)
        field = inner, reach
        best = [self._best(crystal, measured, field) for crystal in self.candidates]
        matches = tuple(sorted((m for m in best if m is not None), key=lambda match: -match.score))
        phase, reason = self._judged(matches)
        by = BY_NOTHING if phase == "unknown" else BY_SPOTS
        return PhaseAnswer(phase, reason, by, matches, g=g, intensity=intensity)

    def _judged(self, matches: tuple[PhaseMatch, ...]) -> tuple[str, str]:
        """Return the phase and the reason."""
        if not matches:
            return "unknown", "no candidate has two spots where the pattern has them"
        first = matches[0]
        zone = "".join(str(i) if i >= 0 else f"-{-i}" for i in first.zone_axis)
        told = (
            f"{first.phase} along [{zone}] explains {first.explained:.0%} of the measured spots and "
            f"{first.seen:.0%} of its own are seen (score {first.score:.2f})"
        )
        if first.score < self.least or first.explained < EXPLAINED:
            return "unknown", f"nothing fits: at best {told}; {self.least:g} and {EXPLAINED:.0%} are needed"
        if len(matches) > 1:
            told += f"; next is {matches[1].phase} with {matches[1].score:.2f}"
        return first.phase, told

    def _best(self, crystal: Crystal, measured: Measured, field: tuple[float, float]) -> PhaseMatch | None:
        tilts = self._tilts(np.zeros(2), self.tilt_deg)
        found = [
            (self._judge(fit, measured, field, tilts), fit)
            for axis, expected in templates(
                crystal, self.largest, field[1] / (self.scale * (1 - self.scale_tolerance))
            )
            for fit in self._fits(crystal.name, axis, expected, measured)
        ]
        found = sorted(found, key=lambda pair: -pair[0].score)[:CLOSE]
        finer = [
            self._judge(fit, measured, field, self._tilts(np.array(match.tilt_deg), self.tilt_deg / STEPS))
            for match, fit in found
        ]
        return max(finer, key=lambda match: match.score, default=None)

    @staticmethod
    def _tilts(about: Float, reach: float) -> Float:
        """Return tilts in degrees about one, up to `reach` along both axes, shape (t, 2)."""
        steps = np.linspace(-reach, reach, 2 * STEPS + 1 if reach > 0 else 1)
        return about + np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)

    def _fits(
        self, phase: str, axis: tuple[int, int, int], expected: Expected, measured: Measured
    ) -> Iterator[_Fit]:
        """Yield how one template lies on the spots at its likeliest rotations."""
        if len(expected.z) < 2:
            return
        for turn in self._turns(expected, measured):
            pairs, factor = self._refined(expected, measured, turn)
            if len(pairs[0]) >= 2:
                yield _Fit(phase, axis, expected, pairs, factor)

    def _turns(self, expected: Expected, measured: Measured) -> list[float]:
        """Return the rotations for which most root intensity lies at the same radius and angle, in radians."""
        ratio = np.abs(measured.z)[:, None] / np.abs(expected.z)[None, :]
        near = (
            np.abs(ratio / self.scale - 1)
            < self.scale_tolerance + self.tolerance / np.abs(expected.z)[None, :]
        )
        i, j = np.nonzero(near)
        if not len(i):
            return []
        angle = np.angle(measured.z[i] * np.conj(expected.z[j]))
        votes = np.zeros(360)
        np.add.at(votes, np.round(np.rad2deg(angle)).astype(int) % 360, measured.root[i] * expected.root[j])
        # as wide as a spot is at half the largest radius
        width = max(1, round(np.rad2deg(self.tolerance / (0.5 * np.abs(measured.z).max()))))
        kernel = np.ones(2 * width + 1)
        smooth = np.convolve(np.concatenate([votes[-width:], votes, votes[:width]]), kernel, mode="valid")
        chosen: list[float] = []
        for place in np.argsort(-smooth, kind="stable"):
            if all(min(abs(place - other), 360 - abs(place - other)) > width for other in chosen):
                chosen.append(float(place))
            if len(chosen) == TURNS:
                break
        return [float(np.deg2rad(place)) for place in chosen]

    def _refined(
        self, expected: Expected, measured: Measured, turn: float
    ) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], complex]:
        """Return pairs of measured and expected spots, and the factor that turns and scales the expected ones."""
        factor = complex(np.exp(1j * turn))
        pairs = self._pairs(expected, measured, factor, 2 * self.tolerance)
        for _ in range(4):
            i, j = pairs
            if len(i) < 2:
                break
            weight = measured.root[i] * expected.root[j] + 1e-6
            factor = complex(
                np.sum(weight * measured.z[i] * np.conj(expected.z[j]))
                / np.sum(weight * np.abs(expected.z[j]) ** 2)
            )
            least, most = (self.scale * (1 + sign * self.scale_tolerance) for sign in (-1, 1))
            size = min(max(abs(factor), least), most)
            factor = factor / abs(factor) * size
            pairs = self._pairs(expected, measured, factor, self.tolerance)
        return pairs, factor

    @staticmethod
    def _pairs(
        expected: Expected, measured: Measured, factor: complex, reach: float
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which spots are each other's nearest, at most `reach` apart."""
        distance = np.abs(measured.z[:, None] - factor * expected.z[None, :])
        nearest = np.argmin(distance, axis=1)
        i = np.arange(len(measured.z))
        mutual = (np.argmin(distance, axis=0)[nearest] == i) & (distance[i, nearest] <= reach)
        return i[mutual], nearest[mutual]

    def _judge(self, fit: _Fit, measured: Measured, field: tuple[float, float], tilts: Float) -> PhaseMatch:
        """Return the match at the best of some tilts."""
        expected, (i, j), factor = fit.expected, fit.pairs, fit.factor
        distance = np.abs(measured.z[i] - factor * expected.z[j])
        close = np.exp(-2 * (distance / self.tolerance) ** 2)
        length = np.abs(expected.z) * abs(factor)
        lit = np.sqrt(excitation(expected.g, tilts, voltage_kV=self.voltage_kV, thickness=self.thickness))
        root = expected.root * lit * ((length >= field[0]) & (length <= field[1]))
        # what is fainter than half of the faintest spot that was found would not have been
        faintest = 0.5 * measured.root.min() / measured.root.max() * root.max(axis=1, keepdims=True)
        seen = root >= faintest
        seen[:, j] = True
        root = np.where(seen, root, 0.0)
        product = (measured.root[i] * close) @ root[:, j].T
        whole = np.linalg.norm(measured.root) * np.linalg.norm(root, axis=1)
        scores = np.divide(product, whole, out=np.zeros(len(tilts)), where=whole > 0)
        best = int(np.argmax(scores))
        wanted = root[best]
        spot = np.full(len(wanted), -1, np.intp)
        spot[j] = measured.number[i]
        shown = (wanted > 0) | (spot >= 0)
        places = factor * expected.z[shown]
        return PhaseMatch(
            phase=fit.phase,
            score=min(float(scores[best]), 1.0),
            explained=float(np.sum(measured.root[i] * close) / measured.root.sum()),
            seen=float(np.sum(wanted[j] * close) / wanted.sum()) if wanted.any() else 0.0,
            zone_axis=fit.axis,
            rotation_deg=float(np.rad2deg(np.angle(factor))),
            tilt_deg=(float(tilts[best, 0]), float(tilts[best, 1])),
            scale=abs(factor),
            residual=float(np.sqrt(np.mean(distance**2))),
            g=np.stack([-places.imag, places.real], axis=1),
            root=wanted[shown] / max(float(wanted.max(initial=0.0)), 1e-300),
            hkl=expected.hkl[shown],
            doubled=expected.doubled[shown],
            spot=spot[shown],
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """Spots of a pattern: (v, u) in 1/angstrom, root intensities, and their numbers."""

    g: Float
    root: Float
    number: NDArray[np.intp]

    @cached_property
    def z(self) -> NDArray[np.complex128]:
        """Places in the complex plane, the imaginary axis up."""
        return np.asarray(self.g[:, 1] - 1j * self.g[:, 0])


@dataclass(frozen=True, eq=False)
class Expected:
    """Spots of a template: (v, u), places in the complex plane, root intensities, indices."""

    g: Float
    z: NDArray[np.complex128]
    root: Float
    hkl: NDArray[np.intp]
    doubled: NDArray[np.bool_]

    @classmethod
    def of(cls, template: SpotPattern) -> Expected:
        """Return the spots of a template."""
        return cls(
            template.g,
            template.g[:, 1] - 1j * template.g[:, 0],
            np.sqrt(template.intensity),
            template.hkl,
            template.doubled,
        )


@lru_cache(maxsize=64)
def templates(
    crystal: Crystal, largest: int, reach: float
) -> tuple[tuple[tuple[int, int, int], Expected], ...]:
    """Return the possible spots of a crystal along all its directions, made once for all patterns.

    Parameters
    ----------
    crystal : Crystal
    largest : int
        Largest index of a direction.
    reach : float
        Largest spatial frequency, 1/angstrom.
    """
    reflections = crystal.reflections(reach)
    axes = (
        (sign * u, sign * v, sign * w) for (u, v, w), sign in product(crystal.zone_axes(largest), (1, -1))
    )
    return tuple((axis, Expected.of(zero_layer(crystal, axis, reflections))) for axis in axes)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A template upon the measured spots: pairs of both, and the factor that turns and scales it."""

    phase: str
    axis: tuple[int, int, int]
    expected: Expected
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
    factor: complex
