"""What the owner of the data says: kept as said, refused where it is wrong, never filled in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.about import About, Microscope, Person, Sample

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), max_size=12)
FULL = {
    "title": "Glass",
    "description": "Sputtered",
    "licence": "CC-BY-4.0",
    "authors": [{"name": "Ada Example", "orcid": "0000-0002-1825-0097", "affiliation": "An Institute"}],
    "measured": "2024-05-02T09:30:00+09:00",
    "sample": {"name": "G7", "elements": ["Zr", "Cu"], "prepared": "2024-05-01", "description": "foil"},
    "microscope": {"vendor": "A Maker", "model": "M-1"},
}


def test_everything_goes_in_and_comes_out() -> None:
    about = About.from_dict(FULL)
    assert about.authors == (Person("Ada Example", "0000-0002-1825-0097", "An Institute"),)
    assert about.sample == Sample("G7", ("Zr", "Cu"), "2024-05-01", "foil")
    assert about.microscope == Microscope("A Maker", "M-1")
    assert about.to_dict() == FULL
    assert json.loads(json.dumps(about.to_dict())) == FULL


def test_nothing_said_is_nothing_kept() -> None:
    assert About.from_dict({}) == About()
    assert About().to_dict() == {}


@settings(max_examples=25, deadline=None)
@given(title=WORDS, names=st.lists(WORDS.filter(bool), max_size=3), vendor=WORDS)
def test_plain_data_and_nouns_are_inverse(title: str, names: list[str], vendor: str) -> None:
    about = About(title, authors=tuple(Person(name) for name in names), microscope=Microscope(vendor))
    assert About.from_dict(about.to_dict()) == about


@pytest.mark.parametrize(
    ("given_orcid", "kept"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("0000-0002-1694-233X", "0000-0002-1694-233X"),
        ("", ""),
    ],
)
def test_orcids_are_kept_bare(given_orcid: str, kept: str) -> None:
    assert Person("A", given_orcid).orcid == kept


@settings(max_examples=20, deadline=None)
@given(place=st.sampled_from([0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17]), by=st.integers(1, 9))
def test_an_orcid_with_one_wrong_digit_is_refused(place: int, by: int) -> None:
    digits = list("0000-0002-1825-0097")
    digits[place] = str((int(digits[place]) + by) % 10)
    with pytest.raises(InputError, match="orcid of A"):
        Person("A", "".join(digits))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"heading": "Glass"}, "heading"),
        ({"sample": {"element": ["Zr"]}}, "about: sample: expected only name, elements, prepared"),
        ({"sample": {"elements": ["Zz"]}}, "'Zz'"),
        ({"sample": {"elements": ["zr"]}}, "'zr'"),
        ({"sample": {"elements": "Zr"}}, "expected a list"),
        ({"sample": "G7"}, "names and values"),
        ({"authors": [{"name": " "}]}, "author: expected a name"),
        ({"authors": ["Ada"]}, "names and values"),
        ({"authors": [{"name": "A", "orcid": "0000-0002-1825-0098"}]}, "orcid of A"),
        ({"measured": "yesterday"}, "'yesterday'"),
        ({"measured": "2024-05-01T14:00:00"}, "with time and zone"),
        ({"sample": {"prepared": "2024-13-01"}}, "'2024-13-01'"),
        ({"licence": "free for all"}, "SPDX"),
        ({"title": 7}, "expected text"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict, told: str) -> None:
    with pytest.raises(InputError) as caught:
        About.from_dict(wrong)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("licence", "address"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("https://example.org/terms", "https://example.org/terms"),
        ("", ""),
    ],
)
def test_a_licence_has_an_address(licence: str, address: str) -> None:
    assert About(licence=licence).licence_url == address
