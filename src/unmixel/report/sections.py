"""What each section of the page shows: words, tables and pictures, ready for the template."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.core.units import printed
from unmixel.dataset.result import Result
from unmixel.dataset.results import Groups, Particle, Particles
from unmixel.report.canvas import group_colour, png
from unmixel.report.components import component_panels, figure_panel
from unmixel.report.groups import group_panels, group_share, kind_words, mixture_words
from unmixel.report.orientations import X, Z, figure_orientations
from unmixel.report.panels import Panel
from unmixel.report.particles import figure_particle_map, figure_size_histogram
from unmixel.report.phases import answer_words, candidate_rows, figure_overlay
from unmixel.report.positions import figure_positions
from unmixel.report.residual import residual_panels
from unmixel.report.trust import error_panels, place_panel, places, trust_words
from unmixel.report.views import kept_panel, sample_noun
from unmixel.report.words import counted, length_with_interval, percent, scientific

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 16
"""Number of components above which the page draws them smaller, two in a row."""
_LARGEST_TABLE = 12


@dataclass(frozen=True)
class Picture:
    """A figure as the page holds it.

    Parameters
    ----------
    source : str
        ``data:`` address of a PNG.
    alt : str
        What is to be seen, for those who do not see it.
    width, height : int
        In CSS pixels (96 an inch).
    """

    source: str
    alt: str
    width: int
    height: int

    @classmethod
    def of(cls, figure: Figure, alt: str) -> Picture:
        """Return a figure as an inlined PNG."""
        width, height = (round(96 * float(inches)) for inches in figure.get_size_inches())
        data = base64.b64encode(png(figure)).decode("ascii")
        return cls(f"data:image/png;base64,{data}", alt, width, height)


@dataclass(frozen=True)
class Badge:
    """A group's number and colour."""

    group: int
    colour: str

    @classmethod
    def of(cls, group: int) -> Badge:
        """Return the badge of a group."""
        return cls(group, group_colour(group))


@dataclass(frozen=True)
class ComponentCard:
    """One component on the page."""

    index: int
    share: str
    part: float
    badge: Badge | None
    rotation: str
    flags: tuple[str, ...]
    pictures: tuple[Picture, ...]
    trust: tuple[str, ...] = ()
    errors: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Member:
    """One component as a member of a group."""

    index: int
    share: str
    rotation: str


@dataclass(frozen=True)
class GroupCard:
    """One group on the page."""

    badge: Badge
    kind: str
    share: str
    members: tuple[Member, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class PhaseCard:
    """The phase of one group on the page."""

    badge: Badge
    phase: str
    reason: str
    candidates: tuple[dict[str, str], ...]
    picture: Picture | None


def pair(
    panels: tuple[Panel, Panel], alts: tuple[str, str], *, width: float, tallest: float
) -> tuple[Picture, ...]:
    """Return two panels as pictures of one height, so that they stand side by side."""
    height = max(panel.height(width - 0.1, tallest=tallest) for panel in panels)
    return tuple(
        Picture.of(figure_panel(panel, width=width, tallest=tallest, height=height), alt)
        for panel, alt in zip(panels, alts, strict=True)
    )


def scan_pictures(result: Result) -> tuple[Picture, ...]:
    """Return the images that the run kept of the scan."""
    drawn = []
    for name, values in sorted(result.extras.items(), key=_place):
        image = np.asarray(values)
        if image.dtype.kind not in "biuf" or image.ndim not in (1, 2) or not image.size:
            continue
        panel = kept_panel(str(name), image, result.factors)
        alt = f"{panel.title}: {' × '.join(str(n) for n in image.shape)} samples"
        drawn.append(Picture.of(figure_panel(panel, width=3.5, tallest=2.9), alt))
    return tuple(drawn)


def _place(item: tuple[str, Any]) -> tuple[int, str]:
    """Return where an image stands: means, then virtual detectors, then the beam, then the rest."""
    name = str(item[0])
    first = ("mean_pattern", "mean_map", "virtual_inner", "virtual_middle", "virtual_outer", "beam")
    return (first.index(name) if name in first else len(first), name)


def component_cards(result: Result) -> tuple[ComponentCard, ...]:
    """Return every component with its pattern and its map."""
    factors, groups = result.factors, result.groups
    size = {"width": 4.2, "tallest": 3.4} if factors.n_components <= MANY else {"width": 2.6, "tallest": 2.2}
    strongest = float(np.nanmax(factors.strengths)) if factors.n_components else 1.0
    cards = []
    for index in range(factors.n_components):
        alts = (f"Pattern of component {index}", f"Map of component {index}")
        share = float(factors.strengths[index])
        cards.append(
            ComponentCard(
                index=index,
                share=percent(share),
                part=100 * share / strongest if strongest > 0 else 0.0,
                badge=None if groups is None else Badge.of(int(groups.labels[index])),
                rotation=_rotation(groups, index),
                flags=tuple(factors.flags[index]) if index < len(factors.flags) else (),
                pictures=pair(component_panels(result, index), alts, **size),
                trust=(*trust_words(factors, index), *mixture_words(groups, index)),
                errors=error_pictures(result, index) if factors.n_components <= MANY else (),
            )
        )
    return tuple(cards)


def error_pictures(result: Result, index: int) -> tuple[Picture, ...]:
    """Return the standard errors of a component's pattern and map, where they are pictures."""
    panels = error_panels(result, index)
    if panels is None:
        return ()
    alts = (
        f"Standard error of the pattern of component {index}",
        f"Standard error of the map of component {index}",
    )
    return pair(panels, alts, width=2.7, tallest=2.2)


def place_pictures(result: Result) -> tuple[Picture, ...]:
    """Return the residual pattern at every place that stands out."""
    return tuple(
        Picture.of(
            figure_panel(place_panel(result, place.index), width=2.7, tallest=2.2),
            f"Residual pattern at place {place.index}",
        )
        for place in places(result)
    )


def _rotation(groups: Groups | None, index: int) -> str:
    if groups is None or len(groups.pattern_axes) < 2:
        return ""
    turned = round(float(groups.rotation_deg[index]), 1)
    return f"{turned:+.1f}°".replace("-", "−") if turned else "0°"


def residual_pictures(result: Result) -> tuple[Picture, ...]:
    """Return chi-square per position and per pixel."""
    panels = residual_panels(result)
    if not panels:
        return ()
    first, second = panels
    noun = sample_noun(result.factors.pattern_axes)
    alts = ("Chi-square at each scan position", f"Chi-square at each {noun}")
    return pair((first, second), alts, width=4.6, tallest=3.6)


def group_cards(result: Result) -> tuple[GroupCard, ...]:
    """Return every group with its aligned pattern, its summed map and its members."""
    groups = result.groups
    if groups is None:
        return ()
    size = {"width": 4.2, "tallest": 3.4} if groups.n_groups <= MANY // 2 else {"width": 2.6, "tallest": 2.2}
    cards = []
    for group in range(groups.n_groups):
        members = tuple(
            Member(int(k), percent(result.factors.strengths[k]), _rotation(groups, int(k)))
            for k in np.flatnonzero(groups.labels == group)
        )
        alts = (f"Aligned and summed pattern of group {group}", f"Summed map of group {group}")
        pictures = pair(group_panels(result, group), alts, **size)
        share = percent(group_share(result, group))
        cards.append(GroupCard(Badge.of(group), kind_words(groups, group), share, members, pictures))
    return tuple(cards)


def phase_cards(result: Result) -> tuple[PhaseCard, ...]:
    """Return the answer for every group: words, candidates, and the spots on its pattern."""
    if result.phases is None or result.groups is None:
        return ()
    cards = []
    for group, answer in enumerate(result.phases):
        words = answer_words(answer)
        overlay = (
            Picture.of(
                figure_overlay(result, group),
                f"Pattern of group {group} with {answer.n_spots} spots found and those expected of {words}"
                if answer.n_spots
                else f"Pattern of group {group} with {len(answer.halo)} rings found",
            )
            if answer.n_spots or answer.halo
            else None
        )
        cards.append(PhaseCard(Badge.of(group), words, answer.reason, candidate_rows(answer), overlay))
    return tuple(cards)


def position_picture(result: Result) -> Picture | None:
    """Return what each position shows on its own, None where that was not asked for."""
    if result.positions is None or len(result.positions.scan_axes) > 2:
        return None
    return Picture.of(figure_positions(result.positions), "Group, rotation and similarity of every position")


def orientation_picture(result: Result) -> Picture | None:
    """Return the inverse-pole-figure maps of the scan, None where nothing has an orientation."""
    found = result.orientations
    if found is None or len(found.axes) != 2 or not found.known.any():
        return None
    figure = figure_orientations(found, directions=(X, Z), grains=result.grains)
    return Picture.of(figure, "Inverse-pole-figure maps along x and along the beam, with their colour keys")


def orientation_words(result: Result) -> str:
    """Return in words how much of the scan has an orientation, and in how many grains."""
    found, grains = result.orientations, result.grains
    if found is None:
        return ""
    told = f"{percent(float(found.known.mean()))} of the positions have an orientation"
    if grains is None:
        return told + "."
    bounded = f", in {counted(grains.n_grains, 'grain')}" if grains.n_grains else ""
    return f"{told}{bounded} (neighbours within {grains.threshold_deg:g}° belong together)."


def particle_pictures(result: Result) -> tuple[Picture, ...]:
    """Return the outlined map of every group with particles."""
    particles, groups = result.particles, result.groups
    if particles is None or groups is None or not particles.table:
        return ()
    shown = sorted({particle.group for particle in particles.table if 0 <= particle.group < groups.n_groups})
    return tuple(
        Picture.of(
            figure_particle_map(result, group, width=4.6, tallest=4.4),
            f"Particles in the map of group {group}",
        )
        for group in shown
    )


def histogram(result: Result) -> Picture | None:
    """Return the histogram of particle sizes, None where there are none."""
    particles = result.particles
    if particles is None or not np.isfinite(particles.diameters).any():
        return None
    return Picture.of(figure_size_histogram(result, width=7.2, height=3.2), "Histogram of particle diameters")


def particle_facts(particles: Particles) -> dict[str, str]:
    """Return the statistics of the particles, each with its name."""
    unit = printed(particles.unit)
    cut = sum(particle.on_border for particle in particles.table)
    facts = {
        "Particles": f"{len(particles.table)}, of which {cut} cut by the border (left out of sizes)",
        "Mean diameter": length_with_interval(
            particles.mean_diameter, particles.mean_interval, particles.unit
        ),
        "Median diameter": length_with_interval(
            particles.median_diameter, particles.median_interval, particles.unit
        ),
        "Number density": f"{scientific(particles.number_density)} per {unit}²",
        "Area covered": percent(particles.area_fraction),
    }
    if np.isfinite(particles.volume_fraction):
        facts["Volume filled"] = percent(particles.volume_fraction)
    if particles.unit == "nm":
        facts["Number density"] += f" = {scientific(particles.number_density * 1e6)} per µm²"
    return facts


def largest_particles(particles: Particles) -> tuple[Particle, ...]:
    """Return the largest particles, at most twelve, largest first; sizes that are not numbers come last."""
    ordered = sorted(particles.table, key=lambda one: -one.diameter if np.isfinite(one.diameter) else np.inf)
    return tuple(ordered[:_LARGEST_TABLE])


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return the resolved recipe as YAML; what YAML cannot say plainly is printed as text."""
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes unknown objects as their text and repeats shared parts instead of referring to them."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    Plain.add_multi_representer(object, lambda dumper, value: dumper.represent_str(str(value)))
    return str(yaml.dump(_plain(recipe), Dumper=Plain, sort_keys=False, allow_unicode=True, width=100))


def _plain(value: Any) -> Any:
    """Return nested mappings and sequences as dicts and lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
