"""The methods paragraph, ready to paste: put together from what was run, with the papers it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.dataset.bibliography import Reference
from unmixel.dataset.record import is_simulated
from unmixel.dataset.result import Result
from unmixel.report.recorded import Named, constraints, entries, input_name, mapping, show, source, steps
from unmixel.report.references import Citations, brought, unmixel_itself
from unmixel.report.words import counted, length_with_interval, percent, sentence


@dataclass(frozen=True)
class Methods:
    """The paragraph, in sentences, and the papers it cites in order."""

    sentences: tuple[str, ...]
    references: tuple[Reference, ...]

    @property
    def text(self) -> str:
        """The paragraph as one text."""
        return " ".join(self.sentences)


def methods(result: Result) -> Methods:
    """Return the methods paragraph of a run; what the record does not hold is left out, never guessed."""
    cite = Citations()
    sentences = [
        _data(result, cite),
        *_preparation(result, cite),
        *_factorisation(result, cite),
        *_constraint_sentences(result, cite),
        *_refinements(result, cite),
        _end(result),
        *_grouping(result, cite),
        *_phases(result, cite),
        *_orientations(result, cite),
        *_sizes(result),
    ]
    return Methods(tuple(sentences), tuple(cite.papers))


def axes_words(axes: tuple[Axis, ...], noun: str) -> str:
    """Return a grid in words.

    Examples
    --------
    >>> axes_words((Axis("y", 64, scale=3.03, unit="nm"), Axis("x", 72, scale=3.03, unit="nm")), "positions")
    '64 × 72 positions, step 3.03 nm'
    """
    if not axes:
        return f"1 {noun.rstrip('s')}"
    sizes = " × ".join(str(axis.size) for axis in axes)
    steps_of = list(
        dict.fromkeys(f"{abs(axis.scale):.4g} {printed(axis.unit)}" for axis in axes if axis.calibrated)
    )
    return f"{sizes} {noun}, " + ("step " + " and ".join(steps_of) if steps_of else "not calibrated")


def _data(result: Result, cite: Citations) -> str:
    factors, given = result.factors, source(result)
    kind = "pixels" if len(factors.pattern_axes) > 1 else "channels"
    name = input_name(result)
    if is_simulated(result.record):
        what = f"Simulated data with known truth ({name})"
    else:
        form = str(given.get("format") or "")
        what = "The scan" + (f" {name}" if name else "") + (f" ({form})" if form and form != "array" else "")
    version = str(mapping(result.record.get("versions")).get("unmixel", ""))
    tool = cite.after(f"unmixel {version}".strip(), unmixel_itself(version))
    reader = str(given.get("reader", "")).lower()
    through = f" after reading it with RosettaSciIO {cite('rosettasciio')}" if "rosett" in reader else ""
    by = brought("readers", reader.split(" ")[0])
    verb = "were" if what.startswith("Simulated") else "was"
    grids = f"{axes_words(factors.scan_axes, 'positions')}, and {axes_words(factors.pattern_axes, kind)}"
    return cite.after(f"{what} with {grids}, {verb} analysed with {tool}{through}", *by) + "."


def _preparation(result: Result, cite: Citations) -> list[str]:
    done = steps(result)
    if done is None:
        return []
    if not done:
        return ["No step changed the data before the factorisation."]
    told = [sentence(step.effect or f"the step {step.name} was run") for step in done]
    sentences = [*told, "Nothing else was done to the data."]
    for name in dict.fromkeys(step.name for step in done):
        papers = brought("steps", name)
        what = (
            "Weighting counts by their Poisson noise" if name == "poisson_weights" else f"The step {name!r}"
        )
        sentences += [f"{what} follows {cite(*papers)}."] if papers else []
    return sentences


def _factorisation(result: Result, cite: Citations) -> list[str]:
    factors, settings = result.factors, result.factors.settings
    field = cite("lee1999", "uesugi2021" if len(factors.pattern_axes) > 1 else "shiga2016")
    number = counted(factors.n_components, "component")
    loss = Named.of(settings.get("loss")).name
    misfit = f" {_LOSSES.get(loss, f'under the loss {loss!r}')}" if loss else ""
    misfit = cite.after(misfit, *brought("losses", loss))
    task = f"The data were separated into {number} by non-negative matrix factorisation {field}"
    told = [f"{task}, fitted{misfit}{_solver(settings.get('solver'), cite)}.", *_start(settings, cite)]
    if settings.get("sketch_sweeps"):
        told.append(f"The fit was drafted on a randomised sketch of the data {cite('halko2011')}.")
    return told


_LOSSES = {"frobenius": "by least squares", "kl": "by the Kullback-Leibler divergence"}

_SOLVERS = {
    "gradient": "accelerated proximal gradient steps",
    "hals": "hierarchical alternating least squares",
    "admm": "the alternating direction method of multipliers",
}


def _solver(given: Any, cite: Citations) -> str:
    """Return in words which algorithm lowered the misfit; of the two of ``auto``, where each one was used."""
    name = Named.of(given).name
    if not name:
        return ""
    if name == "auto":
        single, other = (cite.after(_SOLVERS[key], *brought("solvers", key)) for key in ("admm", "gradient"))
        return f" with {single} where samples can be solved for one by one and {other} elsewhere, {_IN_TURN}"
    if name not in _SOLVERS:
        return cite.after(f" with the solver {name!r}", *brought("solvers", name))
    return cite.after(f" with {_SOLVERS[name]}", *brought("solvers", name)) + f", {_IN_TURN}"


_IN_TURN = "maps and patterns in turn"


_STARTS = {
    "svd": "The start came from the leading singular vectors of the data",
    "pursuit": "The start was chosen among the patterns by successive projection",
    "random": "The start was random",
    "given": "The start was given",
}


def _start(settings: Mapping[str, Any], cite: Citations) -> list[str]:
    name = Named.of(settings.get("start")).name
    if not name:
        return []
    return [cite.after(_STARTS.get(name, f"The start was {name!r}"), *brought("starts", name)) + "."]


def _constraint_sentences(result: Result, cite: Citations) -> list[str]:
    sentences = []
    for one in constraints(result):
        papers = brought("constraints", one.name)
        text = _constraint(one)
        if one.name in ("resolution", "spot_shape"):
            text += f" (after the domain constraints of {cite(*papers)})"
        else:
            text = cite.after(text, *papers)
        sentences.append(f"{text}.")
    return sentences


def _constraint(one: Named) -> str:
    """Return what one constraint demands, in words; one that is not known here is named."""
    given = one.parameters
    side = str(given.get("side", "maps"))
    weight = f" (weight {show(given['weight'])})" if "weight" in given else ""
    stretch = given.get("stretch", 1.0)
    stretched = (
        f", taken {_short(stretch)} times as wide" if isinstance(stretch, float) and stretch != 1 else ""
    )
    if one.name == "resolution":
        unit = printed(str(given.get("unit", "px")))
        width = f" ({_short(given['fwhm'])} {unit} full width at half maximum)" if "fwhm" in given else ""
        probe = f"a Gaussian probe{width}{stretched}"
        return f"Maps are non-negative images convolved with {probe}: none is sharper"
    if one.name == "spot_shape":
        shape = f"Patterns are non-negative images convolved with the shape of the direct beam{stretched}"
        return f"{shape}: none has a feature or a dip narrower than it"
    if one.name == "sparse":
        penalty = f"An L1 penalty keeps {side} at zero where noise explains them"
        return penalty + (weight[:-1] + ", in deviations of the gradient's noise)" if weight else "")
    if one.name == "smooth":
        return f"A quadratic penalty on differences of neighbours smooths the {side}{weight}"
    if one.name == "pinned":
        return f"Known {side} were held fixed"
    if one.name in _DEMANDS:
        return _DEMANDS[one.name].format(side=side) + weight
    parameters = ", ".join(f"{key} {show(value)}" for key, value in given.items())
    return f"The constraint {one.name!r} was applied" + (f" ({parameters})" if parameters else "")


_DEMANDS = {
    "no_dips": "A penalty fills dips of patterns that are narrower than their surroundings explain",
    "isotropic": "Chosen patterns depend on the distance from the centre only",
    "friedel": "Patterns equal their inversion through the centre (Friedel's law)",
    "support": "Components are absent outside the places that were given to them",
    "total_intensity": "Maps are shares of the intensity that the beam brought to each position",
    "soft_orthogonal": "A penalty on their overlap keeps {side} of different components apart",
    "relevance": "A penalty on the norm of whole components leaves out those that noise explains",
}


def _refinements(result: Result, cite: Citations) -> list[str]:
    """Return what changed which components there are, one sentence a step."""
    told, spread, widths = (result.factors.settings.get(key) for key in ("refinements", "spread", "widths"))
    sentences = []
    tried = len(tuple(entries(mapping(widths).get("tried"))))
    if tried:
        said = f"The widths of kernels ({tried} were tried) are those that predict electrons best that were set aside"
        sentences.append(cite.after(said, *brought("refinements", "prune")))
    if spread:
        sentences.append(
            f"Of the directions above the noise, {spread} fill{'s' * (spread == 1)} the scan: as many components were "
            "exempt from the penalty for being present"
        )
    for done in (mapping(one) for one in entries(told)):
        name, before, after = str(done.get("step")), done.get("before"), done.get("after")
        change = f"{before} became {after}" if before != after else f"{before} stayed"
        if "runs" in done:
            change = f"{done['runs']} runs, {change}"
        if "not_done" in done:
            change = f"nothing was done: {done['not_done']}"
        said = _REFINED.get(name, f"The refinement {name!r} was applied ({{}})").format(change)
        if name == "split" and "judged" in done:
            said = f"{said}, without {_UNSEEN}"
        sentences.append(said if name == "prune" else cite.after(said, *brought("refinements", name)))
    if any(mapping(one).get("step") == "prune" for one in entries(told)):
        papers = brought("refinements", "prune")
        sentences.append(cite.after("Electrons were set aside by count splitting", *papers))
    return [f"{sentence}." for sentence in sentences]


_UNSEEN = "regions that do not show in electrons that were set aside"
_REFINED = {
    "consensus": "The fit of the sketch was repeated from other starts; components were averaged over the runs ({})",
    "split": "Maps were cut into their connected regions, each from then on a component of its own, kept there ({})",
    "merge": "Components in the same place that electrons set aside do not tell apart were joined ({})",
    "prune": "Components that are not significant on electrons that no fit had seen were left out ({})",
}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else show(value)


def _end(result: Result) -> str:
    end, settings = result.factors.convergence, result.factors.settings
    parts = [f"The fit ended after {counted(end.n_sweeps, 'sweep')} ({end.reason.rstrip('.')})"]
    if math.isfinite(end.relative_error):
        parts.append(f"with a relative error of {percent(end.relative_error)}")
    seed = settings.get("seed", result.record.get("seed"))
    return " ".join(parts) + (f"; seed {seed}." if seed is not None else ".")


def _grouping(result: Result, cite: Citations) -> list[str]:
    groups = result.groups
    if groups is None:
        return []
    turned = len(groups.pattern_axes) > 1
    like = "the correlation of their spectra"
    if turned:
        like = "the largest cross-correlation over all rotations of their polar-transformed patterns"
    like = cite.after(like, *brought("clusterers", _clusterer(result, "rotation" if turned else "spectrum")))
    reason = f" ({groups.cut_reason.rstrip('.')})" if groups.cut_reason else ""
    joined = "members were turned onto the strongest one and summed" if turned else "members were summed"
    return [
        f"Components were grouped by average linkage on 1 − similarity, the similarity being {like}; the "
        f"tree was cut at {groups.cut:.3g}{reason}, which gave {counted(groups.n_groups, 'group')}, "
        f"whose {joined}."
    ]


def _clusterer(result: Result, usual: str) -> str:
    """Return the name of the clusterer that the recipe asked for, or the one that suits the data."""
    asked = mapping(result.recipe.get("interpret")).get("group")
    name = Named.of(asked).name
    return usual if name in ("", "auto") else name


def _orientations(result: Result, cite: Citations) -> list[str]:
    """Return how orientations are written down."""
    if result.orientations is None:
        return []
    return [f"Orientations follow the conventions of {cite('rowenhorst2015')}."]


def _phases(result: Result, cite: Citations) -> list[str]:
    """Return what was compared with what to name phases."""
    found = result.phases
    if found is None:
        return []
    sentences = [
        f"Spots of each group's pattern were compared with kinematic spots of {', '.join(found.candidates)} along all "
        "low-index directions, in-plane rotations and tilts of up to 3 degrees (electron scattering factors of "
        f"International Tables for Crystallography, vol. C, table 4.3.2.2, through gemmi {cite('wojdyr2022')}); the "
        "score is the cosine between measured and expected root intensities."
    ]
    if any(answer.rings for answer in found):
        sentences.append(
            "Where no crystal fitted, the radii of the spots were compared with the rings of each candidate; its "
            "probability is that among all candidates and none of them."
        )
    return [*sentences, *(sentence(note) for note in found.notes)]


def _sizes(result: Result) -> list[str]:
    found = result.particles
    if found is None:
        return []
    cut = sum(particle.on_border for particle in found.table)
    verb = "was" if len(found.table) == 1 else "were"
    sentences = [
        "Particles are connected regions of the groups' maps; diameters are those of circles of equal area."
    ]
    sentences += [sentence(note) for note in found.notes]
    result_words = f"{counted(len(found.table), 'particle')} {verb} found, {cut} cut by the border"
    if not found.diameters.size:
        return [*sentences, result_words + "."]
    mean = length_with_interval(found.mean_diameter, found.mean_interval, found.unit)
    median = length_with_interval(found.median_diameter, found.median_interval, found.unit)
    return [*sentences, f"{result_words} and left out of sizes: mean diameter {mean}, median {median}."]
