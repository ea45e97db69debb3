"""What a result says in sentences: for the page, for captions, for the ends of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from unmixel.core.units import printed
from unmixel.dataset.result import Result
from unmixel.dataset.results import Particles, Residual
from unmixel.report.scales import power_of_ten


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "group"), counted(27, "particle")
    ('1 group', '27 particles')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def percent(share: float) -> str:
    """Return a share as a percentage with two significant digits or better.

    Examples
    --------
    >>> percent(0.4567), percent(0.0123), percent(0.00004)
    ('46 %', '1.2 %', '0.004 %')
    """
    value = 100 * float(share)
    if not math.isfinite(value):
        return "unknown share"
    if 99.5 <= value < 100:
        return f"{min(value, 99.9):.1f} %"
    digits = 0 if abs(value) >= 10 or value == 0 else min(3, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f} %"


def scientific(value: float) -> str:
    """Return a number with three digits, with a power of ten where it is very small or large.

    Examples
    --------
    >>> scientific(98.84), scientific(9.884e-5)
    ('98.8', '9.88 × 10⁻⁵')
    """
    if not math.isfinite(value):
        return "unknown"
    digits, _, power = f"{value:.3g}".partition("e")
    return f"{digits} × {power_of_ten(int(power))}" if power else digits


def length_with_interval(value: float, interval: tuple[float, float], unit: str) -> str:
    """Return a length with its 95 % interval, or in words why there is none.

    Examples
    --------
    >>> length_with_interval(7.12, (6.6, 7.6), "nm")
    '7.1 nm (95 % interval 6.6–7.6)'
    >>> length_with_interval(float("nan"), (0, 0), "nm")
    'unknown'
    """
    if not math.isfinite(value):
        return "unknown"
    digits = max(0, 1 - math.floor(math.log10(abs(value)))) if value else 1
    text = f"{value:.{digits}f} {printed(unit)}"
    if not all(math.isfinite(end) for end in interval):
        return f"{text} (no interval)"
    return f"{text} (95 % interval {interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


def is_complete(record: Mapping[str, Any]) -> bool:
    """Return whether the run came to its end; a record without a status is taken to say so."""
    return str(record.get("status", "complete")).lower() in (
        "complete",
        "completed",
        "finished",
        "done",
        "ok",
    )


def headline(result: Result) -> str:
    """Return the result in one sentence."""
    parts = [counted(result.factors.n_components, "component")]
    if result.groups is not None:
        parts[0] += f" in {counted(result.groups.n_groups, 'group')}"
    if result.particles is not None:
        parts.append(particles_phrase(result.particles))
    return "; ".join(parts) + "."


def particles_phrase(particles: Particles) -> str:
    """Return number and mean diameter of the particles in words."""
    found = len(particles.table)
    if not found:
        return "no particles"
    text = counted(found, "particle")
    if not particles.diameters.size or not math.isfinite(particles.mean_diameter):
        return f"{text}, none whole inside the scan, so no mean diameter"
    mean = length_with_interval(particles.mean_diameter, particles.mean_interval, particles.unit)
    return f"{text}, mean diameter {mean}"


def convergence_words(result: Result) -> str:
    """Return how the factorisation ended, in words."""
    end = result.factors.convergence
    stop = "The stop rule was met" if end.converged else "The stop rule was not met"
    error = "The relative error was not computed."
    if math.isfinite(end.relative_error):
        share = percent(end.relative_error)
        error = f"The model differs from the data by {share} of the data's norm, noise included."
    return f"{stop} after {counted(end.n_sweeps, 'sweep')}: {end.reason.rstrip('.')}. {error}"


def residual_words(
    residual: Residual, used: Any, *, noun: str = "detector pixel", expected: float = 1.0
) -> list[str]:
    """Return the reading of chi-square in plain sentences, with what to do where it is far from `expected`.

    Parameters
    ----------
    residual : Residual
    used : ndarray of bool
        Used pixels.
    noun : str
        What a sample of the detector is called.
    expected : float
        What noise alone leaves: 1, or the gain where one count is not one electron.
    """
    if not math.isfinite(residual.chi2):
        return ["Chi-square is not a number; the residual cannot be read."]
    mean, texts = residual.chi2 / expected, [f"Mean chi-square is {residual.chi2:.3g}."]
    if math.isclose(expected, 1.0):
        texts.append("Counts that are Poisson and fully explained give 1.")
    else:
        level = f"{expected:.3g}"
        texts.append(
            f"With the gain of {level} that was used for Poisson weighting, noise alone gives {level}."
        )
    if mean < 0.8:
        texts.append(
            "Below that the data scatter less than Poisson counts would: they may have been scaled down, "
            "averaged or smoothed before they were saved, or there are more components than the data support."
        )
    elif mean <= 1.2:
        texts.append("On average the components leave what noise leaves.")
    elif mean <= 3:
        texts.append("Somewhat more is left here: structure, or counts that are not single electrons.")
    else:
        texts.append(
            "Far more is left here: much structure (try more components, or mask what is not scattering), or "
            "counts that are not single electrons, and then only differences within the maps tell something."
        )
    texts += _where(residual, used, noun)
    texts.append(f"Variances below {residual.floor:.3g} were taken as {residual.floor:.3g}.")
    return texts


def sentence(text: str) -> str:
    """Return a text with a capital at its start and one full stop at its end.

    Examples
    --------
    >>> sentence("beam kernel of 15 x 15 px")
    'Beam kernel of 15 x 15 px.'
    """
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _where(residual: Residual, used: Any, noun: str) -> list[str]:
    """Return where chi-square is worst, compared with its own median so that a gain does not matter."""
    texts = []
    pixels = (
        residual.chi2_pattern[used]
        if np.shape(used) == residual.chi2_pattern.shape
        else residual.chi2_pattern
    )
    for values, name in ((residual.chi2_map, "position"), (pixels, noun)):
        finite = np.asarray(values, np.float64)[np.isfinite(values)]
        if finite.size < 2 or np.median(finite) <= 0:
            continue
        bad = int(np.count_nonzero(finite > 2 * np.median(finite)))
        if bad:
            share = percent(bad / finite.size)
            texts.append(f"{counted(bad, name).capitalize()} ({share}) stand above twice the median there.")
        else:
            texts.append(f"No {name} stands above twice the median.")
    return texts
