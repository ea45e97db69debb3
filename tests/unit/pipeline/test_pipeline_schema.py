"""The shipped schemas are those of the models, and every record and recipe that a run writes fulfils them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.dataset.privacy import scrubbed
from unmixel.io.store import SCHEMA, read_bundle
from unmixel.pipeline.kept import load, state_of
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import shipped
from unmixel.pipeline.run import run
from unmixel.pipeline.schema import RECORD_SCHEMA, Record, made, page, published
from unmixel.pipeline.written import plain
from unmixel.pipeline.yamlfile import parse

pytestmark = pytest.mark.usefixtures("no_page")
DOCS = Path(__file__).parents[3] / "docs" / "reference"


def check(name: str, value: Any) -> None:
    """Hold a value to a shipped schema, with a validator that knows nothing of the models."""
    jsonschema = pytest.importorskip("jsonschema", reason="the extra 'test' brings it")
    jsonschema.Draft202012Validator(published(name)).validate(value)


def refused(name: str, value: Any) -> bool:
    jsonschema = pytest.importorskip("jsonschema", reason="the extra 'test' brings it")
    return not jsonschema.Draft202012Validator(published(name)).is_valid(value)


def record_of(folder: Path) -> Any:
    return json.loads((folder / "record.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["record", "recipe"])
def test_the_shipped_schema_is_that_of_the_models(name: str) -> None:
    assert published(name) == made()[name], (
        "python -c 'import unmixel.pipeline.schema as s; s.write_all(...)'"
    )
    assert json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8")) == published(name)
    jsonschema = pytest.importorskip("jsonschema", reason="the extra 'test' brings it")
    jsonschema.Draft202012Validator.check_schema(published(name))


def test_the_page_is_that_of_the_models_and_tells_every_key() -> None:
    text = (DOCS / "record.md").read_text(encoding="utf-8")
    assert text.rstrip() == page()
    assert all(f"| `{field.alias or name}` |" in text for name, field in Record.model_fields.items())


def test_records_and_recipes_of_runs(file: Path, quick: Any, tmp_path: Path) -> None:
    quick["prepare"] = [{"center": {}}, {"poisson_weights": {}}]
    result = run(file, quick, out=tmp_path / "o")
    for record in (
        record_of(tmp_path / "o"),
        result.record,
        read_bundle(tmp_path / "o" / "result.nxs").record,
    ):
        check("record", record)
        Record.model_validate(record)
        assert record["schema"] == RECORD_SCHEMA
    check("recipe", dict(result.recipe))
    check("recipe", parse(tmp_path / "o" / "recipe.yaml"))


def test_records_of_runs_that_did_not_end(file: Path, quick: Any, tmp_path: Path) -> None:
    class Stops:
        def stage(self, name: str) -> None:
            """Hear of nothing."""

        note = stage

        def sweep(self, sweep: int, limit: int, objective: float) -> None:
            if sweep == 3:
                raise self.error

        def __init__(self, error: BaseException) -> None:
            self.error = error

    for error, status in ((KeyboardInterrupt(), "interrupted"), (MemoryError("too large"), "failed")):
        out = tmp_path / status
        with pytest.raises(type(error)):
            run(file, quick, out=out, progress=Stops(error))
        assert record_of(out)["status"] == status
        check("record", record_of(out))
        check("record", dict(load(out).record))
        run(file, quick, out=out)
        assert record_of(out)["resumed"][0]["status"] == status
        check("record", record_of(out))


def test_what_is_wrong_is_refused(file: Path, quick: Any, tmp_path: Path) -> None:
    record = dict(run(file, quick, out=tmp_path / "o").record)
    for change in (
        {"status": "ended"}, {"seed": -1}, {"surprise": 1}, {"schema": 1}, {"started": "yesterday"}, {"steps": None},
        {"input": {}}, {"timings_s": {"read": "long"}},
    ):  # fmt: skip
        assert refused("record", record | change), change
    for key in ("status", "input", "code", "versions", "steps", "schema"):
        assert refused("record", {name: value for name, value in record.items() if name != key}), key
    for recipe in (
        {"factorize": {"componets": 3}},
        {"prepare": [{"a": {}, "b": {}}]},
        {"factorize": {"seed": 1.5}},
    ):
        assert refused("recipe", recipe), recipe


def test_recipes_as_people_write_them(quick: Any) -> None:
    for name in ("diffraction", "spectrum"):
        check("recipe", shipped(name))
    check("recipe", quick)
    check(
        "recipe",
        {"read": {"scan_shape": "100x80", "dataset": 3}, "prepare": ["center"], "interpret": {"group": None}},
    )
    check("recipe", plain(Recipe()))


def test_a_private_record_fulfils_the_schema_too(file: Path, quick: Any, tmp_path: Path) -> None:
    result = run(file, quick, out=tmp_path / "o")
    check("record", scrubbed(dict(result.record)))
    assert scrubbed(dict(result.record)) == result.record


def test_info_tells_how_far_a_run_got(file: Path, quick: Any, tmp_path: Path) -> None:
    run(file, quick, out=tmp_path / "o")
    state = state_of(tmp_path / "o")
    assert state is not None
    assert (state["status"], state["bundle_schema"], state["record_schema"]) == (
        "finished",
        SCHEMA,
        RECORD_SCHEMA,
    )
    assert state["input"] == "scan.npz"
    told = CliRunner().invoke(app, ["info", str(tmp_path / "o")]).stdout
    assert f"bundle schema: {SCHEMA}" in told
    assert "status: finished" in told
    bundle = str(tmp_path / "o" / "result.nxs")
    assert json.loads(CliRunner().invoke(app, ["info", bundle, "--json"]).stdout)["bundle_schema"] == SCHEMA
    assert state_of(tmp_path / "nothing") is None
    assert state_of(file) is None
