"""Every field of every noun of a result is stored; older layouts and damaged files are told apart."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_store import assert_same
from whole_result import of_layout_1, whole

from unmixel.core.errors import ReadError
from unmixel.dataset.result import Result
from unmixel.io import upgrade
from unmixel.io.seal import SIZE, Seal, opened, sealed
from unmixel.io.store import SCHEMA, read_bundle, schema_of, write_bundle

GOLDEN = Path(__file__).parents[2] / "golden"


def kinds(noun: type, seen: set[type]) -> set[type]:
    """Return every dataclass that the fields of a noun may hold, and theirs."""
    seen.add(noun)
    for hint in typing.get_type_hints(noun).values():
        for part in [hint, *_parts(hint)]:
            if dataclasses.is_dataclass(part) and part not in seen:
                kinds(part, seen)
    return seen


def _parts(hint: Any) -> Iterator[Any]:
    for part in typing.get_args(hint):
        yield part
        yield from _parts(part)


def nouns(value: Any) -> Iterator[Any]:
    """Yield every noun inside a value."""
    if dataclasses.is_dataclass(value):
        yield value
        for item in dataclasses.fields(value):
            yield from nouns(getattr(value, item.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from nouns(part)


def is_default(item: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field holds what it would without being given anything."""
    if value is None or (isinstance(value, (tuple, str)) and not value):
        return True
    default = item.default
    if item.default_factory is not dataclasses.MISSING:
        default = item.default_factory()
    if isinstance(value, np.ndarray):
        return not value.size
    return bool(type(value) is type(default) and value == default)


def assert_stored(found: Result, wanted: Result) -> None:
    for item in dataclasses.fields(Result):
        if item.name != "folder":
            assert_same(getattr(found, item.name), getattr(wanted, item.name), item.name)


def test_the_result_of_these_tests_holds_every_noun_and_no_default() -> None:
    """A new noun or field must be added to whole_result.py, and then be stored."""
    held = list(nouns(whole()))
    assert {type(noun) for noun in held} == kinds(Result, set())
    for noun in held:
        for item in dataclasses.fields(noun):
            shared = (type(noun).__name__, item.name)
            if shared == ("Result", "folder"):
                continue
            alike = [one for one in held if type(one) is type(noun)]
            there = any(not is_default(item, getattr(one, item.name)) for one in alike)
            assert there, f"{shared} is at its default in whole_result.py"


def test_every_field_of_every_noun_comes_back(tmp_path: Path) -> None:
    write_bundle(tmp_path / "r.nxs", whole())
    assert_stored(read_bundle(tmp_path / "r.nxs"), whole())


@pytest.mark.parametrize("field", [item.name for item in dataclasses.fields(Result) if item.default is None])
def test_any_noun_may_be_missing(field: str, tmp_path: Path) -> None:
    bare = dataclasses.replace(whole(), **{field: None})
    if field == "orientations":  # whose frame the grains have
        bare = dataclasses.replace(bare, grains=None)
    write_bundle(tmp_path / "r.nxs", bare)
    assert_stored(read_bundle(tmp_path / "r.nxs"), bare)


def test_golden_files_of_every_layout_are_there_and_read() -> None:
    for version in range(1, SCHEMA + 1):
        assert schema_of(GOLDEN / f"bundle-v{version}.nxs") == version
        read_bundle(GOLDEN / f"bundle-v{version}.nxs")
    assert_stored(read_bundle(GOLDEN / "bundle-v1-all-nouns.nxs"), of_layout_1())
    assert_stored(read_bundle(GOLDEN / "bundle-v2.nxs"), whole())


def test_an_upgrade_fills_what_a_layout_did_not_have() -> None:
    found = read_bundle(GOLDEN / "bundle-v1.nxs").particles
    assert found is not None
    assert np.isnan([found.table[0].fit_diameter, found.table[0].aspect_ratio, found.volume_fraction]).all()


def test_upgrades_are_applied_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(upgrade, "SCHEMA", 4)
    steps = {n: lambda file, n=n: seen.append(n) for n in (1, 2, 3)}
    monkeypatch.setattr(upgrade, "UPGRADES", steps)
    upgrade.upgrade(None, 2)
    upgrade.upgrade(None, 4)
    assert seen == [2, 3]


def test_a_newer_layout_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["unmixel_schema"] = SCHEMA + 1
    image = (tmp_path / "x.h5").read_bytes()
    for content in (image, sealed(SCHEMA + 1, image)):
        (tmp_path / "newer.nxs").write_bytes(content)
        with pytest.raises(ReadError, match=f"got {SCHEMA + 1}.*install a newer unmixel"):
            read_bundle(tmp_path / "newer.nxs")
    (tmp_path / "text").write_text("nothing")
    assert schema_of(tmp_path / "text") is None


def test_hdf5_programs_open_the_file_as_it_is(tmp_path: Path) -> None:
    write_bundle(tmp_path / "r.nxs", whole())
    with h5py.File(tmp_path / "r.nxs") as file:
        assert file.userblock_size == SIZE
        assert file.attrs["unmixel_schema"] == SCHEMA
        assert file["entry/step_1"].attrs["NX_class"] == "NXprocess"
        assert file["entry/step_1/program"][()].decode() == "unmixel: center"
        assert file["entry/step_1/sequence_index"][()] == 1
    assert (tmp_path / "r.nxs").read_bytes()[:21] == b"unmixel result bundle"


WHOLE = (GOLDEN / "bundle-v2.nxs").read_bytes()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.one_of(st.integers(0, SIZE - 1), st.integers(0, len(WHOLE) - 1)), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_wherever_it_is(tmp_path: Path, place: int, bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= 1 << bit
    (tmp_path / "r.nxs").write_bytes(damaged)
    with pytest.raises(ReadError, match=r"r\.nxs.*What to do: "):
        read_bundle(tmp_path / "r.nxs")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.one_of(st.integers(0, 2 * SIZE), st.integers(0, len(WHOLE) - 1)), more=st.binary(max_size=3))
def test_a_file_cut_or_lengthened_anywhere_is_refused(tmp_path: Path, length: int, more: bytes) -> None:
    for content in (
        WHOLE[:length] + more if WHOLE[length : length + len(more)] != more else WHOLE[:length],
        WHOLE + b"x",
    ):
        (tmp_path / "r.nxs").write_bytes(content)
        with pytest.raises(ReadError, match=r"r\.nxs.*What to do: "):
            read_bundle(tmp_path / "r.nxs")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(WHOLE) - 1), noise=st.binary(min_size=1, max_size=2000))
def test_a_stretch_of_noise_is_refused(tmp_path: Path, place: int, noise: bytes) -> None:
    damaged = WHOLE[:place] + noise + WHOLE[place + len(noise) :]
    (tmp_path / "r.nxs").write_bytes(damaged)
    if damaged == WHOLE:
        return
    with pytest.raises(ReadError, match=r"r\.nxs"):
        read_bundle(tmp_path / "r.nxs")


def test_a_change_by_another_program_is_refused_and_said(tmp_path: Path) -> None:
    write_bundle(tmp_path / "r.nxs", whole())
    with h5py.File(tmp_path / "r.nxs", "r+") as file:
        file["entry/maps/maps"][0, 0, 0] += 1
    with pytest.raises(ReadError, match="another program wrote into it"):
        read_bundle(tmp_path / "r.nxs")
    (tmp_path / "r.nxs").write_bytes(WHOLE[:9000])
    with pytest.raises(ReadError, match=f"too early: {9000 - SIZE} of {len(WHOLE) - SIZE} bytes"):
        read_bundle(tmp_path / "r.nxs")


@given(image=st.binary(max_size=50), schema=st.integers(0, 10**6))
def test_a_seal_is_read_as_it_was_written(image: bytes, schema: int) -> None:
    content = sealed(schema, image)
    assert len(content) == SIZE + len(image)
    assert opened(content, Path("x")) == (Seal.of(schema, image), image)
