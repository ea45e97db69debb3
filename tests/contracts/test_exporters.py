"""Every exporter that is registered keeps the laws of exporters; spoiled ones are caught."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from unmixel.core import registry
from unmixel.core.errors import InputError, MissingExtraError
from unmixel.io.exporters.contract import Parcel
from unmixel.testing.exporters import ExporterLaws, Parcels

# HyperSpy and other judges warn about what they bring; that is not ours to mend
pytestmark = pytest.mark.filterwarnings("default")

OURS = {"csv", "emd", "hspy", "nxs", "rde", "rocrate", "tiff", "zspy"}


@pytest.fixture(scope="module")
def parcels() -> Iterator[Parcels]:
    with Parcels() as found:
        yield found


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tried() -> list[Any]:
    """Return all exporters; that for RDE takes twenty seconds for its laws."""
    slow = {"rde": pytest.mark.slow}
    return [pytest.param(name, marks=slow.get(name, ()), id=name) for name in registry.names("exporters")]


@pytest.mark.parametrize("law", ExporterLaws.names())
@pytest.mark.parametrize("name", tried())
def test_exporter_keeps_the_law(name: str, law: str, parcels: Parcels) -> None:
    try:
        ExporterLaws(registry.load("exporters", name)(), parcels).check(law)
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_all_our_exporters_are_registered() -> None:
    assert set(registry.names("exporters")) >= OURS


class Good:
    """An exporter to be spoiled: it writes the strengths as text."""

    name: ClassVar[str] = "good"
    suffix: ClassVar[str] = ".txt"
    __module__ = "unmixel.io.exporters.contract"

    def write(self, parcel: Parcel, target: Path) -> None:
        target.write_text(f"{parcel.name} {parcel.result.factors.strengths.tolist()} 2026-11-29T10:00:00")

    def check(self, target: Path) -> tuple[str, ...]:
        return () if target.read_text() else ("it is empty",)


class Heavy(Good):
    __module__ = "h5py"


class Nameless(Good):
    suffix: ClassVar[str] = "txt"


class Untidy(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        super().write(parcel, target)
        target.with_name("log").touch()


class Meddling(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        super().write(parcel, target)
        (parcel.folder / "notes.txt").touch()


class Demanding(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        assert parcel.result.groups is not None
        super().write(parcel, target)


class Curt(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        if len(parcel.result.factors.pattern_axes) == 1:
            raise InputError("result", expected="images", got="spectra")
        super().write(parcel, target)


class Random(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        target.write_bytes(os.urandom(8))


class Talkative(Good):
    def write(self, parcel: Parcel, target: Path) -> None:
        import getpass

        target.write_text(f"by {getpass.getuser()}")


class Lenient(Good):
    def check(self, target: Path) -> tuple[str, ...]:
        return ()


class Strict(Good):
    def check(self, target: Path) -> tuple[str, ...]:
        return ("there is always something",)


@pytest.mark.parametrize("law", ExporterLaws.names())
def test_the_good_exporter_keeps_all_laws(law: str, parcels: Parcels) -> None:
    ExporterLaws(Good(), parcels).check(law)


@pytest.mark.parametrize(
    ("exporter", "law"),
    [
        (Heavy, "light_import"),
        (Nameless, "contract"),
        (Untidy, "writes_its_target"),
        (Meddling, "writes_its_target"),
        (Demanding, "less_is_enough"),
        (Curt, "other_shapes"),
        (Random, "same_again"),
        (Talkative, "tells_nobody"),
        (Lenient, "judged"),
        (Strict, "judged"),
    ],
)
def test_a_spoiled_exporter_is_caught(exporter: type[Good], law: str, parcels: Parcels) -> None:
    with pytest.raises(AssertionError):
        ExporterLaws(exporter(), parcels).check(law)
