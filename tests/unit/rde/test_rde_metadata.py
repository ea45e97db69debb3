"""Values and definition of RDE's metadata come from one table and never disagree."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.scan import Scan
from unmixel.physics.wavelength import wavelength
from unmixel.rde.facts import EDX, EELS, Facts, technique
from unmixel.rde.metadata import LONGEST, definition, json_text, metadata, plain
from unmixel.rde.terms import OF_GROUPS, OF_THE_SCAN, TERMS, Term
from unmixel.testing.results import example_result

NIMS = {
    "measurement_technique", "stem.file_name", "stem.microscope_information", "stem.acceleration_voltage",
    "stem.stem_camera_length", "stem.dwell_time", "stem.pixel_number_along_x_axis", "stem.pixel_number_along_y_axis",
    "stem.pixel_size_along_x_axis", "stem.pixel_size_along_y_axis", "stem.pixel_actual_size_along_x_axis",
    "stem.pixel_actual_size_along_y_axis", "ted.detector", "ted.pixel_number_along_x_axis",
    "ted.pixel_number_along_y_axis", "ted.pixel_size_along_x_axis", "ted.pixel_size_along_y_axis", "eels.detector",
    "eels.energy_dispersion_per_channel", "eels.number_of_channels",
}  # fmt: skip
"""Keys of the templates metadata-def_STEM.json, metadata-def_TED.json and metadata-def_EELS.json of NIMS."""
OWN_WORDS = {"stem.convergence_semiangle", "stem.probe_current"}
"""Named after the fields stem_convergence_semiangle and stem_probe_current of its invoice."""
TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}

RESULTS = {
    "whole": example_result(),
    "bare": example_result(whole=False),
    "uncalibrated": example_result(calibrated=False),
    "spectra": example_result(pattern=(12,)),
    "line": example_result(scan=(9,)),
}


def with_card(**values: Any) -> Any:
    """Return a result whose data card holds these values."""
    return replace(RESULTS["whole"], card=DataCard("scan.zspy", (CardRow("Format", "zspy"),), values))


def of(facts: Facts) -> dict[str, Any]:
    return {key: entry["value"] for key, entry in metadata(facts)["constant"].items()}


def test_every_term_has_one_key_and_a_name_of_its_own_in_both_languages() -> None:
    for names in ([t.key for t in TERMS], [t.en for t in TERMS], [t.ja for t in TERMS]):
        assert len(set(names)) == len(names)
    for term in TERMS:
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*(\.[a-z0-9_]+)?", term.key), term.key
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", term.ja), (
            f"{term.key} has no Japanese name: {term.ja}"
        )
        assert re.fullmatch(r"[\x20-\x7e]+", term.en), term.en
        assert term.kind in TYPES


def test_keys_outside_our_own_spaces_are_those_of_nims() -> None:
    other = {term.key for term in TERMS if not term.key.startswith(("unmixel.", "edx."))}
    assert other == NIMS | OWN_WORDS


def test_the_definition_says_of_every_term_what_the_table_says() -> None:
    found = definition()
    assert list(found) == [term.key for term in TERMS]
    for term in TERMS:
        entry = found[term.key]
        assert entry["name"] == {"ja": term.ja, "en": term.en}
        assert entry["schema"]["type"] == term.kind
        assert entry.get("unit", "") == term.unit
        assert ("variable" in entry) == (term in OF_GROUPS)
    orders = [entry["order"] for entry in found.values()]
    assert orders == sorted(set(orders))


@pytest.mark.parametrize("name", RESULTS)
def test_values_have_the_type_and_unit_of_their_definition(name: str) -> None:
    found, terms = metadata(Facts(RESULTS[name])), definition()
    json.loads(json_text(found))  # no NaN, nothing but JSON
    for part, allowed in ((found["constant"], OF_THE_SCAN), *((row, OF_GROUPS) for row in found["variable"])):
        assert set(part) <= {term.key for term in allowed}
        for key, entry in part.items():
            assert type(entry["value"]) is TYPES[terms[key]["schema"]["type"]], key
            assert entry.get("unit", "") == terms[key].get("unit", ""), key


def test_a_whole_result_is_told_with_its_own_numbers() -> None:
    result = RESULTS["whole"]
    assert result.groups is not None
    assert result.particles is not None
    found = of(Facts(result))
    assert found["unmixel.number_of_components"] == result.factors.n_components
    assert found["unmixel.number_of_groups"] == result.groups.n_groups
    assert found["unmixel.number_of_particles"] == len(result.particles.table)
    assert found["unmixel.mean_diameter"] == pytest.approx(result.particles.mean_diameter, rel=1e-8)
    assert found["unmixel.number_density"] == pytest.approx(result.particles.number_density, rel=1e-8)
    rows = metadata(Facts(result))["variable"]
    assert [row["unmixel.group"]["value"] for row in rows] == list(range(result.groups.n_groups))
    shares = [row["unmixel.group_strength"]["value"] for row in rows]
    assert sum(shares) == pytest.approx(float(result.factors.strengths.sum()), rel=1e-8)
    counts = [row["unmixel.group_number_of_particles"]["value"] for row in rows]
    assert sum(counts) == len(result.particles.table)


def test_what_is_not_known_is_left_out() -> None:
    found = of(Facts(RESULTS["bare"]))
    assert not [key for key in found if "group" in key or "particle" in key or "diameter" in key]
    assert metadata(Facts(RESULTS["bare"]))["variable"] == []
    assert not [key for key in of(Facts(RESULTS["uncalibrated"])) if "diameter" in key or "pixel_size" in key]


def test_the_microscope_is_told_in_the_units_of_nims() -> None:
    instrument = {"voltage_kV": 200.0, "camera_length_mm": 150.0, "convergence_mrad": 1.5, "dwell_s": 2e-3,
                  "current_pA": None, "microscope": "ARM", "detector": "EMPAD"}  # fmt: skip
    axes = [vars(Axis(name, 10, scale, 0.0, unit)) for name, scale, unit in
            (("y", 2.0, "nm"), ("x", 1.5, "nm"), ("v", -0.3, "mrad"), ("u", 0.02, "1/angstrom"))]  # fmt: skip
    found = of(Facts(with_card(instrument=instrument, axes=axes)))
    assert found["stem.acceleration_voltage"] == 200_000.0
    assert found["stem.dwell_time"] == 2000.0
    assert (found["ted.detector"], found["stem.microscope_information"]) == ("EMPAD", "ARM")
    assert "stem.probe_current" not in found
    assert found["stem.pixel_actual_size_along_x_axis"] == 15.0
    assert found["ted.pixel_size_along_x_axis"] == 0.02
    assert found["ted.pixel_size_along_y_axis"] == pytest.approx(0.3e-3 / wavelength(200.0), rel=1e-8)


def test_channels_go_to_the_technique_that_measured_them() -> None:
    axes = [vars(Axis("energy", 100, 10.0, 0.0, "eV"))]
    result = replace(
        RESULTS["spectra"], card=DataCard("s", (), {"axes": axes, "instrument": {"detector": "X"}})
    )
    for told, space in ((EELS, "eels"), (EDX, "edx")):
        found = of(Facts(result, told))
        spaces = {key.split(".")[0] for key in found if key.endswith(("number_of_channels", "detector"))}
        assert spaces == {space}
        assert found[f"{space}.energy_dispersion_per_channel"] == 10.0
    unknown = of(Facts(result))
    assert not [key for key in unknown if key.startswith(("eels.", "edx.", "ted."))]


@pytest.mark.parametrize(
    ("signal", "expected"),
    [("EDS_TEM", "EDX"), ("EELS", "EELS"), ("", "STEM spectrum imaging"), ("CL", "STEM spectrum imaging")],
)
def test_the_file_says_how_spectra_were_measured(signal: str, expected: str) -> None:
    scan = Scan.from_array(np.zeros((2, 3, 8)))
    told = {"metadata": {"Signal": {"signal_type": signal}}}
    assert technique(replace(scan, original_metadata=told)) == expected


def test_warnings_of_the_data_card_are_told() -> None:
    rows = (
        CardRow("Noise", "8", "yellow"),
        CardRow("Voltage", "300 kV", "green"),
        CardRow("Axes", "?", "red"),
    )
    result = replace(RESULTS["whole"], card=DataCard("scan", rows))
    assert of(Facts(result))["unmixel.data_warnings"] == "Noise: 8; Axes: ?"


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=900) | st.sampled_from(["相" * 500, "a" + "相" * 500]))
def test_text_is_never_longer_than_rde_takes(text: str) -> None:
    found = plain(text, "string")
    if found is None:
        assert not text.encode()[:LONGEST].decode(errors="ignore").strip()
    else:
        assert len(found.encode()) <= LONGEST
        assert found in text


@settings(max_examples=60, deadline=None)
@given(st.floats())
def test_numbers_keep_nine_digits_or_are_left_out(value: float) -> None:
    found = plain(value, "number")
    if np.isfinite(value):
        assert found == pytest.approx(value, rel=1e-8, abs=0)
    else:
        assert found is None


def test_numpy_values_become_plain_ones() -> None:
    assert type(plain(np.int64(3), "integer")) is int
    assert type(plain(np.float32(3), "number")) is float
    assert plain(np.bool_(False), "boolean") is False
    assert plain("", "string") is None


def test_the_reference_page_lists_every_term() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/rde.md").read_text(encoding="utf-8")
    for term in TERMS:
        assert row_of(term) in page, row_of(term)


def row_of(term: Term) -> str:
    kind = term.kind + (f", {term.form}" if term.form else "")
    return f"| `{term.key}` | {term.en} | {term.ja} | {kind} | {term.unit} |"
