"""Phases and particles of a run in the words of the viewer's models."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmixel.dataset.calibration import Calibration
from unmixel.dataset.phases import PhaseAnswer, PhaseMatch, Phases, PlaceMatch, RingMatch
from unmixel.dataset.results import Particle, Particles
from unmixel.report.particles import size_bins
from unmixel.web.run_models import (
    Answer,
    ExpectedSpot,
    Histogram,
    Match,
    ParticleModel,
    ParticlesReply,
    PhasesReply,
    Spot,
)
from unmixel.web.run_view import known

MOST_MATCHES = 12
"""Candidates of a group that are told, best first."""


def phases_reply(phases: Phases) -> PhasesReply:
    """Return measured against expected spots of each group."""
    where = phases.calibration
    return PhasesReply(
        candidates=list(phases.candidates),
        center=where.center,
        scale=where.scale,
        answers=[_answer(group, answer, where) for group, answer in enumerate(phases)],
        notes=list(phases.notes),
    )


def _answer(group: int, answer: PhaseAnswer, where: Calibration) -> Answer:
    places = where.place(answer.g)
    spots = [
        Spot(v=v, u=u, g=(float(g[0]), float(g[1])), intensity=float(i))
        for (v, u), g, i in zip(places.tolist(), answer.g, answer.intensity, strict=True)
    ]
    return Answer(
        group=group,
        phase=answer.phase,
        by=answer.by,
        reason=answer.reason,
        margin=known(answer.margin),
        spots=spots,
        matches=[_match(match, where) for match in answer.ranked[:MOST_MATCHES]],
        halo=[float(ring.position) for ring in answer.halo],
    )


def _match(match: PhaseMatch | PlaceMatch | RingMatch, where: Calibration) -> Match:
    found: dict[str, Any] = {
        "phase": match.phase,
        "by": {PhaseMatch: "spots", PlaceMatch: "places", RingMatch: "rings"}[type(match)],
        "score": float(match.score),
        "scale": float(match.scale),
        "residual": known(match.residual),
        "probability": None if isinstance(match, PhaseMatch) else known(match.probability),
        "explained": known(match.explained) if isinstance(match, PhaseMatch) else None,
        "seen": known(match.seen) if isinstance(match, PhaseMatch) else None,
        "zone_axis": match.zone_axis if isinstance(match, PhaseMatch) else None,
        "rotation_deg": known(match.rotation_deg) if isinstance(match, PhaseMatch) else None,
        "rings": match.radius.tolist() if isinstance(match, RingMatch) else [],
        "spots": [] if isinstance(match, RingMatch) else _expected(match, where),
    }
    return Match(**found)


def _expected(match: PhaseMatch | PlaceMatch, where: Calibration) -> list[ExpectedSpot]:
    rows = zip(
        where.place(match.g).tolist(), match.hkl.tolist(), match.root, match.doubled, match.spot, strict=True
    )
    return [
        ExpectedSpot(
            v=v, u=u, hkl=(hkl[0], hkl[1], hkl[2]), intensity=float(root), doubled=bool(doubled),
            spot=None if spot < 0 else int(spot),
        )
        for (v, u), hkl, root, doubled, spot in rows
    ]  # fmt: skip


def particles_reply(particles: Particles) -> ParticlesReply:
    """Return particles and their statistics."""
    sizes = particles.diameters[np.isfinite(particles.diameters)]
    edges = size_bins(sizes) if sizes.size else np.array([0.0, 1.0])
    return ParticlesReply(
        unit=particles.unit,
        n_groups=len(particles.labels),
        particles=[_particle(one) for one in particles.table],
        number_density=known(particles.number_density),
        area_fraction=known(particles.area_fraction),
        volume_fraction=known(particles.volume_fraction),
        mean_diameter=known(particles.mean_diameter),
        mean_interval=_interval(particles.mean_interval),
        median_diameter=known(particles.median_diameter),
        median_interval=_interval(particles.median_interval),
        histogram=Histogram(edges=edges.tolist(), counts=np.histogram(sizes, edges)[0].tolist()),
        notes=list(particles.notes),
    )


def _particle(one: Particle) -> ParticleModel:
    return ParticleModel(
        id=one.id, group=one.group, component=one.component, y=float(one.y), x=float(one.x), area=float(one.area),
        diameter=float(one.diameter), on_border=bool(one.on_border), fit_diameter=known(one.fit_diameter),
        aspect_ratio=known(one.aspect_ratio),
    )  # fmt: skip


def _interval(interval: tuple[float, float]) -> tuple[float, float] | None:
    low, high = (known(value) for value in interval)
    return None if low is None or high is None else (low, high)
