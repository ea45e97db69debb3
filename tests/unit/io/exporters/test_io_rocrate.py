"""What of a RO-Crate needs no other package; its judges are in tests/fair."""

from __future__ import annotations

import base64
import hashlib
import sys

import pytest
from parcels import make_result, parcel_of

from unmixel.core.errors import MissingExtraError
from unmixel.io.exporters.contract import Exporter
from unmixel.io.exporters.rocrate import RoCrateExporter, _file_facts, _named_information


def test_it_is_an_exporter_of_a_folder() -> None:
    assert isinstance(RoCrateExporter(), Exporter)
    assert RoCrateExporter.suffix == ""


def test_a_missing_package_is_named_and_nothing_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rocrate", None)
    monkeypatch.setitem(sys.modules, "rocrate.rocrate", None)
    parcel = parcel_of(make_result(), tmp_path / "parcel")
    with pytest.raises(MissingExtraError, match=r"unmixel\[fair\]"):
        RoCrateExporter().write(parcel, tmp_path / "crate")
    with pytest.raises(MissingExtraError, match=r"unmixel\[fair\]"):
        RoCrateExporter().check(tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_the_address_by_hash_is_that_of_rfc_6920() -> None:
    digest = hashlib.sha256(b"Hello World!").digest()
    address = _named_information(digest.hex())
    assert (
        address == "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"
    )  # the example of section 8.1
    assert base64.urlsafe_b64decode(address.split(";")[1] + "=") == digest


def test_facts_of_a_file(tmp_path) -> None:
    path = tmp_path / "components.csv"
    path.write_bytes(b"a,b\n" * 300_000)  # more than one piece
    facts = _file_facts(path)
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["contentSize"] == "1200000"
    assert facts["encodingFormat"] == "text/csv"
