"""The record and the recipe as JSON Schemas: made from their models, shipped with the package, published with the docs.

`python -c "import unmixel.pipeline.schema as s; s.write_all()"` writes the files anew after a change of the models; a
test holds them to it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unmixel.pipeline.recipe import Recipe

RECORD_SCHEMA = 2
"""Version of the record that runs write."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
Count = Annotated[int, Field(ge=0)]
Status = Literal["running", "interrupted", "failed", "finished"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Input(_Part):
    """What was read."""

    path: str = Field(
        description="File name or address as it was given, without absolute folders; `memory` for a scan."
    )
    format: str = Field(description="Format in words.")
    reader: str = Field(description="Name of the reader and version of the library behind it.")
    scan_shape_from: str = Field(description="How the scan shape became known, in one sentence.")
    notes: list[str] = Field(description="What reading assumed, left out or was warned of.")
    sha256: Sha256 = Field(description="Hash of the input.")
    covers: str = Field(description="What the hash covers, in words: large inputs are hashed in pieces.")
    bytes: Count = Field(description="Size of the input on the disk.")
    shape: list[Count] = Field(description="Shape of the data as they were read, scan axes first.")
    dtype: str = Field(description="Kind of number of the data.")
    n_bytes: Count = Field(description="Size of the data in memory.")


class Identity(_Part):
    """What makes two runs the same run."""

    recipe_sha256: Sha256 = Field(
        description="Hash of everything the settled recipe says, arrays by content."
    )
    input_sha256: Sha256 = Field(description="Hash of the input.")


class Sources(_Part):
    """The sources of one package."""

    version: str = Field(description="Version of the distribution.")
    sha256: Sha256 = Field(description="Hash of names and contents of all its files, compiled ones left out.")
    files: Count = Field(description="Number of files hashed.")


class Plugin(Sources):
    """The sources of the package that a plug-in came from."""

    distribution: str = Field(description="Name of the distribution.")


class Code(_Part):
    """What was run."""

    unmixel: Sources = Field(description="unmixel itself, with all plug-ins that ship with it.")
    plugins: dict[str, Plugin] = Field(description="Plug-ins of other packages that ran, by `kind:name`.")


class Step(_Part):
    """What one step of preparation did."""

    name: str = Field(description="Registered name.")
    parameters: dict[str, Any] = Field(description="Its parameters.")
    effect: str = Field(description="What changed, in one sentence with numbers.")
    values: dict[str, Any] = Field(description="What it measured: null where a number is not known.")


class Candidate(_Part):
    """A structure that groups were compared with."""

    name: str = Field(description="Name of the structure.")
    lengths_angstrom: list[float] = Field(description="a, b, c in angstrom.")
    angles_deg: list[float] = Field(description="alpha, beta, gamma in degrees.")
    space_group: str = Field(description="Hermann-Mauguin symbol.")
    n_atoms: Count = Field(description="Number of atoms in the file.")
    sha256: Sha256 = Field(description="Hash of cell, space group and atoms.")


class Earlier(_Part):
    """An unfinished run that this one went on from."""

    started: Time | None = Field(description="When it began.")
    status: Status | None = Field(description="How it ended; `running` where it was killed.")


class Record(_Part):
    """How a result came about."""

    layout: Literal[2] = Field(alias="schema", description="Version of this record.")
    status: Status = Field(
        description="Where the run stands; a `running` one whose process is gone was killed."
    )
    started: Time = Field(description="When it began, in UTC.")
    finished: Time | None = Field(None, description="When it ended, in UTC.")
    error: str | None = Field(None, description="What ended a failed run; null for others.")
    command: str = Field(description="The command or call, paths cut to their last part.")
    recipe_from: str = Field(description="Where the recipe came from, in words.")
    stage: str = Field(
        description="The last stage begun: read, card, prepare, overview, factorize, judge, interpret, write or report."
    )
    notes: list[str] = Field(
        default_factory=list, description="Remarks, in the order in which they were made."
    )
    timings_s: dict[str, float] = Field(default_factory=dict, description="Seconds that each stage took.")
    input: Input = Field(description="What was read, and its hash.")
    identity: Identity = Field(description="Hashes of recipe and input.")
    versions: dict[str, str] = Field(description="Python, platform, and packages that numbers may depend on.")
    code: Code = Field(description="Hashes of the sources that ran.")
    seed: Count = Field(description="Seed of every random choice.")
    steps: list[Step] = Field(description="Every pretreatment, in order.")
    candidates: list[Candidate] = Field(default_factory=list, description="Structures that were given.")
    files: list[str] = Field(default_factory=list, description="Files that the run wrote into its folder.")
    resumed: list[Earlier] = Field(default_factory=list, description="Unfinished runs that it went on from.")
    checkpoint: str | None = Field(
        None, description="Of an unfinished run: how far its factorisation is kept."
    )
    checkpoint_sweep: Count | None = Field(None, description="The same as a number of sweeps.")
    partial: str | None = Field(
        None, description="Put in by `unmixel.load`: what the factors of an unfinished run are."
    )


def made() -> dict[str, dict[str, Any]]:
    """Return both schemas (JSON Schema, draft 2020-12) as the models say them: ``record`` and ``recipe``."""
    recipe = Recipe.model_json_schema(mode="validation")
    recipe["properties"]["extends"] = {
        "description": "Shipped recipe that fills in what is left out; not in a resolved recipe.",
        "enum": ["auto", "none", "diffraction", "spectrum"],
    }
    record = Record.model_json_schema(by_alias=True, mode="validation")
    version = Recipe.model_fields["version"].default
    return {
        "record": _headed(record, f"record-{RECORD_SCHEMA}", "Record of an unmixel run"),
        "recipe": _headed(recipe, f"recipe-{version}", "Recipe of an unmixel run"),
    }


def published(name: str) -> dict[str, Any]:
    """Return a schema as it ships with the package: ``record`` or ``recipe``.

    Examples
    --------
    >>> published("record")["properties"]["seed"]["minimum"]
    0
    """
    text = files("unmixel.pipeline").joinpath("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def write_all(docs: Path | None = None) -> None:
    """Write the schemas where they ship, and where the documentation publishes them with the page of the record."""
    for name, schema in made().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for folder in (Path(__file__).parent / "schemas", docs):
            if folder is not None:
                (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")
    if docs is not None:
        (docs / "record.md").write_text(page() + "\n", encoding="utf-8")


def _headed(schema: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    plain: dict[str, Any] = _without_words(schema)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://unmixel.org/schemas/{name}.json",
        "title": title,
    }
    return head | {key: value for key, value in plain.items() if key != "title"}


def _without_words(value: Any) -> Any:
    """Return a schema without what only the reference page of the recipe needs."""
    if isinstance(value, dict):
        return {key: _without_words(item) for key, item in value.items() if key != "words"}
    return [_without_words(item) for item in value] if isinstance(value, list) else value


def page() -> str:
    """Return docs/reference/record.md; a test holds the file to it."""
    parts: tuple[type[_Part], ...] = (
        Record,
        Input,
        Identity,
        Code,
        Sources,
        Plugin,
        Step,
        Candidate,
        Earlier,
    )
    lines = [_HEAD.strip(), ""]
    for part in parts:
        title = "record.json" if part is Record else part.__name__.lower()
        lines += [
            f"## {title}",
            "",
            (part.__doc__ or "").strip(),
            "",
            "| key | holds | meaning |",
            "|---|---|---|",
        ]
        schema = part.model_json_schema(by_alias=True)
        for name, field in schema["properties"].items():
            there = "" if name in schema.get("required", ()) else ", may be left out"
            lines.append(f"| `{name}` | {_kind(field)}{there} | {field['description']} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _kind(field: dict[str, Any]) -> str:
    """Return in words what a key holds."""
    if "anyOf" in field:
        return " or ".join(_kind(one) for one in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1].lower()
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"mapping to {_kind(inner)}" if isinstance(inner, dict) else "mapping"
    words = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "null": "null",
        "boolean": "true or false",
    }
    return words[field["type"]]


_HEAD = """
# The record

`record.json` in a [run folder](bundle.md) says how a result came about; `/entry/record/data` in `result.nxs` holds the
same up to the writing of that file, and `Result.record` is it in Python. This page and the
[JSON Schema of the record](record.schema.json) (draft 2020-12; the [one of the recipe](recipe.schema.json) lies beside
it) are made from the models in `unmixel.pipeline.schema`; both ship with the package. Every record that a run writes
fulfils the schema.

It tells no user name, no host name and no absolute path: a path stands there by its last part, or as it was typed where
that was relative. What an unfinished run needs to find its input again is in `resume.json` beside it, which goes when
the run has ended.

```python
from unmixel.pipeline.schema import published

schema = published("record")  # for any validator of JSON Schema
assert schema["properties"]["status"]["enum"] == ["running", "interrupted", "failed", "finished"]
```
"""
