"""The recipe: everything a run does, as checked models and as one YAML file.

Every field says its unit, its range, what it means and why its default is what it is; the command line,
the written recipe and the reference page all show these words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from unmixel.core.errors import RecipeError
from unmixel.pipeline.entries import Entry, check_name, nearest
from unmixel.pipeline.fields import (
    AsText,
    AsTuple,
    ConstraintEntry,
    RefinementEntry,
    Section,
    Shape,
    Step,
    as_identify,
    as_match,
    as_measure,
    entry_or_auto,
)
from unmixel.pipeline.fields import recipe_field as _field
from unmixel.pipeline.yamlfile import parse


class Read(Section):
    """How the file is read, and what is known of the microscope that the file does not say."""

    scan_shape: Shape = _field(
        None,
        "Number of rows and columns of the scan, such as 100x100.",
        unit="positions",
        valid="null, or whole numbers >= 1 whose product is the number of patterns",
        why="null, because most files say it; the data card lists what is possible where they do not",
    )
    drop_flyback: bool = _field(
        False,
        "Leave out the one column of each row that was taken while the beam flew back.",
        valid="true or false",
        why="false, because nothing is left out unasked",
    )
    reader: str | None = _field(
        None,
        "Name of the reader to use.",
        valid="null, or an installed reader",
        why="null, because the readers recognise their own files",
    )
    dataset: Annotated[str | None, AsText] = _field(
        None,
        "Which dataset of a file that holds several.",
        valid="null, or its name or number",
        why="null, the largest scan in the file",
    )
    voltage_kV: float | None = _field(  # noqa: N815 - the unit is part of the name
        None,
        "Acceleration voltage, used in place of what the file says.",
        unit="kV",
        valid="null, or 1 to 3000",
        why="null, what the file says",
        ge=1,
        le=3000,
    )
    convergence_mrad: float | None = _field(
        None,
        "Convergence semi-angle, used in place of what the file says; it gives the resolution.",
        unit="mrad",
        valid="null, or more than 0 up to 200",
        why="null, what the file says",
        gt=0,
        le=200,
    )


class Factorize(Section):
    """How the scan is separated into components."""

    components: int = _field(
        12,
        "Number of components.",
        valid="a whole number >= 1",
        why="12, enough for a first look; published work uses 20 to 30, a few more than needed do no harm",
        ge=1,
    )
    constraints: Annotated[tuple[ConstraintEntry, ...], AsTuple] = _field(
        (Entry(name="nonnegative", parameters={}),),
        "What maps and patterns must fulfil: a list of {name: parameters}.",
        valid="installed constraints",
        why="nonnegative, because counts are",
    )
    loss: Annotated[str, AfterValidator(partial(check_name, "losses"))] = _field(
        "frobenius",
        "Measure of the misfit between data and model.",
        valid="an installed loss",
        why="frobenius (least squares), which with Poisson weights is Poisson's likelihood to first order",
    )
    solver: Annotated[str, AfterValidator(partial(check_name, "solvers"))] = _field(
        "auto",
        "Algorithm that lowers the misfit.",
        valid="an installed solver",
        why="auto, for each side the fastest that its constraints allow",
    )
    start: Annotated[str, AfterValidator(partial(check_name, "starts"))] = _field(
        "svd",
        "Where the factorisation starts.",
        valid="an installed start",
        why="svd, the leading singular vectors: on glass phantoms it found as much as pursuit in a third of the time",
    )
    refine: Annotated[tuple[RefinementEntry, ...], AsTuple] = _field(
        (),
        "What changes which components there are before the passes over all data: a list of {name: parameters}, in "
        "order. `components` is then the number to begin with.",
        valid="installed refinements: split, merge, prune, consensus",
        why="none; the recipe for a glass with crystals splits maps into regions, joins duplicates and leaves out what "
        "is not significant",
    )
    promote: int = _field(
        0,
        "Number of structures in the residual, at most, that are made components of in a second fit; only what "
        "stands out of the noise is.",
        unit="components",
        valid="a whole number >= 0",
        why="0, because the report shows them first",
        ge=0,
    )
    residual_peaks: int = _field(
        6,
        "Number of places in the residual, at most, that are looked for and shown.",
        valid="a whole number >= 0; 0 leaves out the search",
        why="6, which takes two passes over the data at most",
        ge=0,
    )
    uncertainty: Literal["none", "errors", "stability"] = _field(
        "errors",
        "What is told of the uncertainty: errors for the standard error of every value, stability for the agreement "
        "of fits to two halves of the counts too.",
        valid="none, errors or stability",
        why="errors, which takes no further pass over the data; stability takes two more fits",
    )
    max_iter: int = _field(
        200,
        "Largest number of sweeps over maps and patterns.",
        unit="sweeps",
        valid="a whole number >= 1",
        why="200, because most scans meet the tolerance before",
        ge=1,
    )
    sketch_sweeps: int = _field(
        100,
        "Largest number of sweeps on a sketch of the data, before those over all data; they cost little.",
        unit="sweeps",
        valid="a whole number >= 0; 0 leaves the sketch out",
        why="100, which most sketches do not need",
        ge=0,
    )
    tol: float = _field(
        3e-5,
        "The run stops when the objective falls by less than this share of itself per sweep.",
        valid="a number >= 0; 0 runs all sweeps",
        why="3e-5: on simulated glasses a third of it found no more crystals",
        ge=0,
    )
    seed: int = _field(
        0,
        "Seed of every random choice of the run.",
        valid="a whole number from 0 to 4294967295",
        why="0, so that two runs agree",
        ge=0,
        lt=2**32,
    )
    engine: Annotated[str, AfterValidator(partial(check_name, "engines"))] = _field(
        "numpy",
        "Where the arithmetic runs.",
        valid="an installed engine: numpy, torch for a GPU, or dask for many workers",
        why="numpy, which is always there",
    )
    scheduler: str | None = _field(
        None,
        "Address of the dask scheduler whose workers go through the data, such as tcp://host:8786.",
        valid="null, or an address; needs the engine dask",
        why="null: the engine dask then starts workers on this machine",
    )
    workers: int | None = _field(
        None,
        "Number of workers that the engine dask starts on this machine.",
        unit="processes",
        valid="null, or a whole number >= 1; needs the engine dask, and no scheduler",
        why="null, one for each core",
        ge=1,
    )
    memory_budget_MB: float = _field(  # noqa: N815
        1000.0,
        "Memory for the blocks of data held at a time; a larger scan is read block by block, neither binned "
        "nor cropped.",
        unit="MB",
        valid="a number >= 1",
        why="1000, which any laptop has",
        ge=1,
    )

    @model_validator(mode="after")
    def _workers_have_an_engine(self) -> Self:
        given = [name for name in ("scheduler", "workers") if getattr(self, name) is not None]
        if given and self.engine != "dask":
            raise ValueError(f"{' and '.join(given)} need engine: dask, not {self.engine}")
        if len(given) > 1:
            raise ValueError("give scheduler or workers, not both: a scheduler has workers of its own")
        return self


class Interpret(Section):
    """What is read out of the components."""

    group: Annotated[Entry | Literal["auto"] | None, BeforeValidator(entry_or_auto)] = _field(
        "auto",
        "How components are grouped: {name: parameters}.",
        valid="null for none, auto, or an installed clusterer",
        why="auto: rotation for patterns, spectrum for spectra",
    )
    measure: Annotated[dict[str, Any] | None, BeforeValidator(as_measure)] = _field(
        None,
        "How particles are found in the maps of groups: parameters of the measurement, {} for its defaults.",
        valid="null for none, or a mapping; needs groups and a scan with two axes",
        why="null, because not every sample has particles",
    )
    identify: Annotated[dict[str, Any] | None, BeforeValidator(as_identify)] = _field(
        None,
        "Which structures the groups are compared with: candidates (a list of CIF files, folders of them, names of "
        "built-in cells) and, if wanted, elements, scale_tolerance, largest, least, spot_size, voltage_kV; distortion "
        "({}, or terms and how wrong the calibration may be) fits one calibration for all groups first.",
        valid="null for none, or a mapping; needs groups and patterns in 1/angstrom or mrad",
        why="null, because only you know what the sample may hold",
    )
    match: Annotated[dict[str, Any] | None, BeforeValidator(as_match)] = _field(
        None,
        "How every position's own pattern is compared with those of the groups: parameters of the matcher, {} for its "
        "defaults.",
        valid="null for none, or a mapping; needs a group with spots",
        why="null, because it reads the scan once more",
    )


class Recipe(Section):
    """Everything a run does.

    Parameters
    ----------
    version : int
        Version of this format, 1.
    read : Read
    prepare : tuple of Entry
        Steps, in order.
    factorize : Factorize
    interpret : Interpret

    Raises
    ------
    RecipeError
        From `from_dict` and `load`, with the nearest known word.

    Examples
    --------
    >>> recipe = Recipe.from_dict({"factorize": {"components": 4}})
    >>> recipe.factorize.components, recipe.prepare
    (4, ())
    """

    version: Literal[1] = _field(1, "Version of the recipe format.", valid="1", why="1, the only one so far")
    read: Read = Read()
    prepare: Annotated[tuple[Step, ...], AsTuple] = _field(
        (),
        "Steps of preparation, in this order: a list of {name: parameters}; `when: counts` among the "
        "parameters runs the step only on data that are counts.",
        valid="installed steps",
        why="none, because nothing is done unasked",
    )
    factorize: Factorize = Field(default_factory=Factorize)
    interpret: Interpret = Field(default_factory=Interpret)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Return the recipe that plain data describe; what is left out takes the bare defaults of the models.

        To have it filled in from a shipped recipe instead, give the mapping (or the file) to `unmixel.run`.

        Raises
        ------
        RecipeError
            Names every wrong entry, what is wrong with it and the nearest known word.
        """
        if "extends" in data:
            raise RecipeError(
                "Recipe: 'extends' is settled when the data are known; give the mapping or the file to unmixel.run."
            )
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise RecipeError(_readable(error)) from error

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Return the recipe of a YAML file; arrays named in it are read, relative to the file.

        Raises
        ------
        RecipeError
            When the file is no recipe.
        """
        return cls.from_dict(parse(Path(path)))

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data; arrays stay arrays."""
        return dict(self.model_dump())

    def arrays(self) -> dict[str, Any]:
        """Return the arrays among the parameters: name in the result file -> array."""
        found: dict[str, Any] = {}
        for section, entries in (("prepare", self.prepare), ("constraints", self.factorize.constraints)):
            for index, entry in enumerate(entries):
                for key, value in entry.parameters.items():
                    if hasattr(value, "__array__"):
                        found[f"{section}.{index}.{entry.name}.{key}"] = value
        return found

    def digest(self) -> str:
        """Return the SHA-256 of everything the recipe says, arrays by content."""
        return hashlib.sha256(json.dumps(_hashable(self.to_dict()), sort_keys=True).encode()).hexdigest()


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _hashable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hashable(item) for item in value]
    if hasattr(value, "__array__"):
        return array_summary(value)
    return value


def array_summary(array: Any) -> dict[str, Any]:
    """Return shape, dtype and SHA-256 of an array: what the record says of it."""
    import numpy as np

    plain = np.ascontiguousarray(array)
    return {
        "shape": list(plain.shape),
        "dtype": str(plain.dtype),
        "sha256": hashlib.sha256(plain.tobytes()).hexdigest(),
    }


def section_of(location: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the model that holds the key at the end of `location`."""
    known: dict[str, type[BaseModel]] = {"read": Read, "factorize": Factorize, "interpret": Interpret}
    return known.get(str(location[0]), Recipe) if len(location) > 1 else Recipe


def _readable(error: ValidationError) -> str:
    """Return pydantic's complaints in the user's words."""
    lines: list[str] = []
    for one in error.errors(include_url=False):
        place = ".".join(str(part) for part in one["loc"])
        if one["type"] == "extra_forbidden":
            known = list(section_of(one["loc"]).model_fields)
            word = str(one["loc"][-1])
            line = f"there is no '{place}'.{nearest(word, known)} Known there: {', '.join(known)}."
        else:
            message = one["msg"].removeprefix("Value error, ").rstrip(".")
            line = f"{place}: {message}." if place else f"{message}."
        if line not in lines:
            lines.append(line)
    return "Recipe: " + " ".join(lines)
