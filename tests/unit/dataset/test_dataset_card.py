"""Cards, records and results: nouns that hold what they are given."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.record import Source, StepRecord


def test_a_card_becomes_plain_data() -> None:
    card = DataCard(
        "scan.mib", (CardRow("Voltage", "300 kV", "green", "From the file."),), {"voltage_kV": 300.0}
    )
    plain = json.loads(json.dumps(card.to_dict()))
    assert plain == {
        "title": "scan.mib",
        "rows": [{"label": "Voltage", "value": "300 kV", "light": "green", "reason": "From the file."}],
        "values": {"voltage_kV": 300.0},
    }


def test_a_plain_fact_has_no_light() -> None:
    assert CardRow("Format", "npz").light == "none"


def test_nouns_are_frozen() -> None:
    for noun, name in ((CardRow("a", "b"), "label"), (Source(), "path"), (StepRecord("crop"), "name")):
        with pytest.raises(FrozenInstanceError):
            setattr(noun, name, "other")


def test_records_become_plain_data() -> None:
    record = StepRecord("bin", {"pattern": 2}, "Binned by 2.", {"pixels_after": 156})
    assert json.loads(json.dumps(asdict(record)))["values"] == {"pixels_after": 156}
    source = Source("a.npz", "NumPy npz", "npz", "the axes of the file", ("read whole",))
    assert json.loads(json.dumps(asdict(source)))["notes"] == ["read whole"]
