"""The microscope from metadata: units as their writers mean them."""

from __future__ import annotations

import pytest

from unmixel.dataset.scan import Instrument
from unmixel.io.instrument import hyperspy_instrument, number, with_mapping


def of(tem: dict, **options) -> Instrument:
    return hyperspy_instrument({"Acquisition_instrument": {"TEM": tem}}, **options)


def test_nothing_known_is_none() -> None:
    assert hyperspy_instrument({}) == Instrument()
    assert hyperspy_instrument({"Acquisition_instrument": "words"}) == Instrument()


def test_hyperspy_units() -> None:
    known = of({"beam_energy": 200, "convergence_angle": 0.7, "camera_length": 320.0, "beam_current": 0.05})
    assert (known.voltage_kV, known.convergence_mrad) == (200.0, 0.7)
    assert (known.camera_length_mm, known.current_pA) == (320.0, 50.0)


def test_units_beside_the_value_win() -> None:
    known = of(
        {"beam_energy": 120e3, "beam_energy_units": "V", "beam_current": 12.0, "beam_current_units": "pA"}
    )
    assert (known.voltage_kV, known.current_pA) == (120.0, 12.0)
    assert of({"Detector": {"EELS": {"dwell_time": 100, "dwell_time_units": "ms"}}}).dwell_s == 0.1


def test_pyxem_means_centimetres_and_milliseconds() -> None:
    known = of({"Detector": {"Diffraction": {"camera_length": 21.0, "exposure_time": 10.0}}})
    assert (known.camera_length_mm, known.dwell_s) == (210.0, 0.01)


def test_a_format_may_mean_metres() -> None:
    assert of({"camera_length": 0.02}, camera_length_mm=1e3).camera_length_mm == 20.0


@pytest.mark.parametrize("value", [0, -1, None, "unknown", float("nan"), float("inf")])
def test_values_that_mean_unknown(value: object) -> None:
    assert of({"beam_energy": value}).voltage_kV is None
    assert number(value) is None


def test_outer_values_win_over_inner_ones() -> None:
    assert of({"Old": {"beam_energy": 80.0}, "beam_energy": 300.0}).voltage_kV == 300.0


def test_names_are_kept() -> None:
    known = of({"microscope": "Titan", "Detector": {"EDS": {"detector_type": "SuperX"}}})
    assert (known.microscope, known.detector) == ("Titan", "SuperX")


def test_mapping_finds_tags_whatever_their_spaces() -> None:
    original = {"Image Tags": {"Microscope_Info": {"Voltage": 2e5, "Cs": "bad"}}}
    mapping = {
        "Image_Tags.Microscope Info.Voltage": ("Acquisition_instrument.TEM.beam_energy", lambda v: v / 1e3),
        "Image_Tags.Microscope Info.Cs": ("Acquisition_instrument.TEM.Cs", float),
        "Image_Tags.Nothing.There": ("General.title", None),
    }
    filled = with_mapping({"General": {"date": "today"}}, original, mapping)
    assert filled == {"General": {"date": "today"}, "Acquisition_instrument": {"TEM": {"beam_energy": 200.0}}}


def test_mapping_never_overwrites_nor_touches_its_input() -> None:
    metadata = {"TEM": {"beam_energy": 300.0}}
    filled = with_mapping(
        metadata, {"V": 200.0, "I": 3}, {"V": ("TEM.beam_energy", None), "I": ("TEM.I", None)}
    )
    assert filled == {"TEM": {"beam_energy": 300.0, "I": 3}}
    assert metadata == {"TEM": {"beam_energy": 300.0}}
