"""Dotted overrides change one value and leave the rest alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import RecipeError
from unmixel.pipeline.overrides import apply, reading
from unmixel.pipeline.resolve import shipped


def base() -> dict[str, Any]:
    return shipped("diffraction")


@settings(max_examples=30, deadline=None)
@given(components=st.integers(1, 99), tol=st.floats(0, 1), seed=st.integers(0, 99))
def test_values_arrive_typed_and_alone(components: int, tol: float, seed: int) -> None:
    data = base()
    before = copy.deepcopy(data)
    texts = [f"factorize.components={components}", f"factorize.tol={tol!r}", f"factorize.seed={seed}"]
    changed = apply(data, texts)
    assert data == before
    assert (changed["factorize"]["components"], changed["factorize"]["tol"]) == (components, tol)
    for key in ("components", "tol", "seed"):
        changed["factorize"].pop(key)
        before["factorize"].pop(key, None)
    assert changed == before


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        (
            "factorize.constraints.sparse.weight=3.5",
            ("factorize", "constraints", 3),
            {"sparse": {"weight": 3.5}},
        ),
        (
            "factorize.constraints.3.sparse.weight=1",
            ("factorize", "constraints", 3),
            {"sparse": {"weight": 1}},
        ),
        ("factorize.constraints.3={smooth: {}}", ("factorize", "constraints", 3), {"smooth": {}}),
        (
            "factorize.constraints.resolution={fwhm: 2}",
            ("factorize", "constraints", 1),
            {"resolution": {"fwhm": 2}},
        ),
        ("factorize.constraints.smooth.weight=1", ("factorize", "constraints", 4), {"smooth": {"weight": 1}}),
        ("prepare.0.center.x=1", ("prepare", 0), {"center": {"x": 1}}),
        ("read.scan_shape=[3, 4]", ("read", "scan_shape"), [3, 4]),
        ("read.scan_shape=3x4", ("read", "scan_shape"), "3x4"),
        ("interpret.group.spectrum={}", ("interpret", "group"), {"spectrum": {}}),
        ("interpret.measure.a=1", ("interpret", "measure"), {"a": 1}),
        ("factorize.components = 4", ("factorize", "components"), 4),
    ],
)
def test_where_a_key_leads(text: str, place: tuple[Any, ...], value: Any) -> None:
    found: Any = apply(base(), [text])
    for part in place:
        found = found[part]
    assert found == value


def test_null_removes_an_entry() -> None:
    changed = apply(
        base(), ["factorize.constraints.resolution=null", "prepare.0=null", "interpret.measure=null"]
    )
    assert [next(iter(entry)) for entry in changed["factorize"]["constraints"]] == [
        "nonnegative",
        "spot_shape",
        "sparse",
    ]
    assert [next(iter(entry)) for entry in changed["prepare"]] == [
        "measure_beam",
        "mask_beam",
        "poisson_weights",
    ]
    assert changed["interpret"]["measure"] is None


def test_later_ones_win() -> None:
    changed = apply(base(), ["factorize.components=3", "factorize.components=5"])
    assert changed["factorize"]["components"] == 5


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("factorize.components", "expected key=value"),
        ("=3", "expected key=value"),
        ("factorize..components=3", "expected key=value"),
        ("factorise.components=3", "Did you mean 'factorize'?"),
        ("factorize.componets=3", "Did you mean 'components'?"),
        ("factorize.constraints.sparze.weight=3", "Did you mean 'sparse'?"),
        ("factorize.constraints.9.sparse.weight=3", "the list has 4 entries"),
        ("factorize.constraints.0.sparse.weight=3", "entry 0 is 'nonnegative'"),
        ("prepare.bin.factor=2", "steps have an order"),
        ("prepare.cneter.x=2", "Did you mean 'center'?"),
        ("factorize.components.x=2", "holds one value"),
        ("factorize.components=[1", "no YAML"),
    ],
)
def test_wrong_keys_are_refused_with_the_nearest(text: str, wanted: str) -> None:
    with pytest.raises(RecipeError) as caught:
        apply(base(), [text])
    assert wanted in str(caught.value)


def test_two_entries_of_one_name_are_told_apart_by_place() -> None:
    data = {"prepare": [{"mask_image": {"a": 1}}, {"mask_image": {"a": 2}}]}
    with pytest.raises(RecipeError, match="say which by its place: 0, 1"):
        apply(data, ["prepare.mask_image.a=3"])
    assert apply(data, ["prepare.1.mask_image.a=3"])["prepare"] == [
        {"mask_image": {"a": 1}},
        {"mask_image": {"a": 3}},
    ]


def test_what_reading_needs_is_known_first() -> None:
    assert reading(["factorize.tol=1", "read.scan_shape=3x4"]) == ["read.scan_shape=3x4"]
