"""Choosing among several data sets: the largest scan, or the one the user names."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import ReadError
from unmixel.io.pick import Offer, distinct, pick

U2, F8 = np.dtype("u2"), np.dtype("f8")
RGBA = np.dtype([("R", "u1"), ("G", "u1")])
OFFERS = (
    Offer("survey", (500, 500), U2, 0),
    Offer("scan", (13, 29, 31), U2, 2),
    Offer("small scan", (3, 4, 31), U2, 2),
    Offer("photo", (900, 900), RGBA, 0),
    Offer("words", (4,), np.dtype("S7"), 0),
)


def chosen(dataset: str | None = None) -> tuple[str, tuple[str, ...]]:
    index, notes = pick(OFFERS, dataset, path="file.bcf", form="Bruker bcf")
    return OFFERS[index].name, notes


def test_the_largest_scan_wins_over_a_larger_image() -> None:
    name, (note,) = chosen()
    assert name == "scan"
    assert "survey 500x500 uint16" in note
    assert "small scan" in note
    assert "photo" not in note


@pytest.mark.parametrize("name", ["survey", "small scan"])
def test_the_user_may_choose(name: str) -> None:
    assert chosen(name) == (name, ())


@pytest.mark.parametrize("name", ["photo", "nothing"])
def test_what_cannot_be_read_is_refused_with_a_list(name: str) -> None:
    with pytest.raises(ReadError, match=rf"file.bcf: expected data named '{name}'.*dataset='scan'") as caught:
        chosen(name)
    assert "small scan 3x4x31" in str(caught.value)


@pytest.mark.parametrize("offers", [(), OFFERS[3:]])
def test_a_file_without_numbers_is_refused(offers: tuple[Offer, ...]) -> None:
    with pytest.raises(ReadError, match="data of plain numbers"):
        pick(offers, None, path="photo.dm4", form="DM")


def test_of_equal_data_the_first_is_taken() -> None:
    twins = (Offer("a", (3, 4), F8, 1), Offer("b", (3, 4), F8, 1))
    assert pick(twins, None, path="f", form="x")[0] == 0


def test_names_are_made_distinct() -> None:
    assert distinct(["EDX", "EDX", "", ""]) == ["EDX", "EDX#2", "data", "data#2"]
