"""What a user writes into the invoice becomes values of the recipe, or an error that names the field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.pipeline.overrides import apply
from unmixel.pipeline.recipe import Recipe
from unmixel.rde.errors import InvoiceError
from unmixel.rde.fields import CATALOGUE, FIELDS, SETTINGS, blank, schema
from unmixel.rde.invoice import Invoice


def asked(**custom: Any) -> Invoice:
    return Invoice.of({"custom": custom})


def recipe(invoice: Invoice) -> Recipe:
    return Recipe.from_dict(apply({}, invoice.overrides))


def test_an_invoice_as_it_is_written_asks_for_nothing() -> None:
    assert Invoice.of(blank()).overrides == ()
    assert (Invoice.of(blank()).extends, Invoice.of(blank()).candidates) == ("", ())
    assert Invoice.of({}) == Invoice()


def test_fields_have_one_key_and_labels_in_both_languages() -> None:
    assert len({field.key for field in FIELDS}) == len(FIELDS)
    custom = schema()["properties"]["custom"]["properties"]
    assert list(custom) == [field.key for field in FIELDS]
    for field in FIELDS:
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", field.ja), field.key
        assert custom[field.key]["label"] == {"ja": field.ja, "en": field.en}
        assert bool(field.hint_en) == bool(field.hint_ja)
    assert set(blank()["custom"]) == set(custom)


def test_settings_reach_the_recipe() -> None:
    found = recipe(
        asked(
            components=5,
            scan_shape="100x80",
            drop_flyback=True,
            acceleration_voltage=200,
            stem_convergence_semiangle="1.5",
            recipe_settings="factorize.seed=3\n\n  factorize.tol=1e-4 ",
        )
    )
    assert (found.factorize.components, found.factorize.seed, found.factorize.tol) == (5, 3, 1e-4)
    assert (found.read.scan_shape, found.read.drop_flyback) == ((100, 80), True)
    assert (found.read.voltage_kV, found.read.convergence_mrad) == (200.0, 1.5)


def test_every_field_that_sets_a_value_sets_one_that_recipes_have() -> None:
    samples = {"integer": 7, "number": 2.5, "boolean": True, "string": "6x4"}
    for field in SETTINGS:
        if field.sets:
            assert recipe(asked(**{field.key: samples[field.kind]})) != Recipe()
    for field in CATALOGUE:
        assert asked(**{field.key: "words"}) == Invoice()


def test_numbers_may_be_text_as_tables_of_excel_have_them() -> None:
    assert (
        asked(components="12").overrides == asked(components=12.0).overrides == ("factorize.components=12",)
    )
    assert asked(drop_flyback="TRUE").overrides == ("read.drop_flyback=true",)
    assert asked(drop_flyback="false").overrides == asked(components=None).overrides == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("components", 0), ("components", 2.5), ("components", "many"), ("components", True), ("components", [3]),
        ("acceleration_voltage", -200), ("acceleration_voltage", "nan"), ("scan_shape", "100"),
        ("scan_shape", "0x4"), ("recipe", "spectra"), ("drop_flyback", "perhaps"),
    ],
)  # fmt: skip
def test_what_a_field_cannot_hold_is_refused_by_its_name(key: str, value: Any) -> None:
    with pytest.raises(InvoiceError, match=f"'{key}'.*What to do: correct"):
        asked(**{key: value})


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([field.key for field in SETTINGS]),
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
)
def test_any_value_is_understood_or_refused_as_an_error_of_the_invoice(key: str, value: Any) -> None:
    try:
        found = asked(**{key: value})
    except InvoiceError:
        return
    assert set(found.values) <= {key}
    assert all("=" in text for text in found.overrides) or key == "recipe_settings"


def test_candidates_are_named_or_made_of_elements() -> None:
    assert asked(candidates="MgO, Cu、Al").candidates == ("MgO", "Cu", "Al")
    made = asked(elements="Cu Zr").candidates
    assert {"Cu", "Zr", "CuZr", "CuZr2"} <= set(made)
    assert not {"ZrO2", "ZrCu2Al", "Al"} & set(made)
    assert asked(candidates="CuZr", elements="Cu, Zr").candidates.count("CuZr") == 1


@pytest.mark.parametrize("given_", [[], "text", {"custom": 3}, 4])
def test_what_is_no_invoice_is_refused(given_: Any, tmp_path: Path) -> None:
    with pytest.raises(InvoiceError):
        Invoice.of(given_)
    (tmp_path / "invoice.json").write_text(json.dumps(given_))
    with pytest.raises(InvoiceError):
        Invoice.read(tmp_path / "invoice.json")


def test_an_invoice_file_may_begin_with_a_mark_of_its_encoding_or_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "invoice.json"
    assert Invoice.read(path) == Invoice()
    path.write_text(json.dumps({"custom": {"components": 3}}), encoding="utf-8-sig")
    assert Invoice.read(path).overrides == ("factorize.components=3",)
    path.write_text("{")
    with pytest.raises(InvoiceError, match="JSON"):
        Invoice.read(path)


def test_the_reference_page_lists_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/rde.md").read_text(encoding="utf-8")
    for field in FIELDS:
        assert f"| `{field.key}` | {field.en} | {field.ja} |" in page, field.key
