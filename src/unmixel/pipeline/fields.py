"""How a field of the recipe is told, and checked before it is one: pydantic's types for the recipe's own words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from unmixel.pipeline.entries import Entry, check, check_parameters


def recipe_field(
    default: Any, meaning: str, *, why: str, unit: str = "", valid: str = "", **limits: Any
) -> Any:
    """Return a field whose description holds meaning, unit, range and the reason for the default."""
    parts = [
        meaning,
        f"Unit: {unit}." if unit else "",
        f"Range: {valid}." if valid else "",
        f"Default: {why}.",
    ]
    words = {"meaning": meaning, "unit": unit, "range": valid, "why": why}
    extra: Any = {"words": words}
    return Field(default, description=" ".join(p for p in parts if p), json_schema_extra=extra, **limits)


def _shape(value: Any) -> Any:
    """Return ``100x80`` or ``[100, 80]`` as a tuple."""
    if isinstance(value, str):
        value = [int(part) if part.strip().isdigit() else part for part in value.lower().split("x")]
    return tuple(value) if isinstance(value, list) else value


def entry_or_auto(value: Any) -> Any:
    """Return the entry of a clusterer, ``auto`` or None."""
    return value if value is None or value == "auto" else check("clusterers", Entry.model_validate(value))


def _settings(name: str, home: str, value: Any) -> Any:
    """Return `value`, None or a mapping, when the class at `home` takes it as its parameters."""
    if isinstance(value, Mapping):
        module, _, kind = home.partition(":")
        plugin = getattr(import_module(module), kind)
        check_parameters(name, plugin, value)
        try:
            plugin(**{key: tuple(one) if isinstance(one, list) else one for key, one in value.items()})
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: {error}") from error
    return value


as_measure = partial(_settings, "measure", "unmixel.interpret.measure:Measure")
as_match = partial(_settings, "match", "unmixel.interpret.matcher:PositionMatcher")
as_identify = partial(_settings, "identify", "unmixel.pipeline.naming:Naming")
AsText = BeforeValidator(lambda v: str(v) if type(v) is int else v, json_schema_input_type=str | int | None)
AsTuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Positive = Annotated[int, Field(ge=1)]
_AsShape = BeforeValidator(_shape, json_schema_input_type=list[int] | str | None)
Shape = Annotated[tuple[Positive, ...] | None, _AsShape]
Step = Annotated[Entry, AfterValidator(partial(check, "steps"))]
ConstraintEntry = Annotated[Entry, AfterValidator(partial(check, "constraints"))]
RefinementEntry = Annotated[Entry, AfterValidator(partial(check, "refinements"))]


class Section(BaseModel):
    """A section of the recipe: no unknown keys, nothing converted unasked."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
