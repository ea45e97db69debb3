"""From files and invoice to what is to be done, and what becomes of errors, without rdetoolkit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import unmixel.core.errors as tree
from unmixel.core.errors import InputError, MissingExtraError, RecipeError, UnmixelError
from unmixel.pipeline import stages
from unmixel.rde import dataset, layout
from unmixel.rde.callback import Job
from unmixel.rde.errors import CODES, InvoiceError, NoScanError, code_of, message_of, structured
from unmixel.rde.inputs import Inputs
from unmixel.rde.invoice import Invoice

ROOT = Path(__file__).parents[3]


class StructuredError(Exception):
    """Stands for rdetoolkit's own."""

    def __init__(self, emsg: str = "", ecode: int = 1, eobj: Any = None) -> None:
        super().__init__(emsg)
        self.emsg, self.ecode, self.eobj = emsg, ecode, eobj


@pytest.fixture
def toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rdetoolkit, as far as the callback needs it."""
    top, exceptions = ModuleType("rdetoolkit"), ModuleType("rdetoolkit.exceptions")
    exceptions.StructuredError = StructuredError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rdetoolkit", top)
    monkeypatch.setitem(sys.modules, "rdetoolkit.exceptions", exceptions)


def paths_in(root: Path, *rawfiles: Path, mode: str | None = None) -> Any:
    """Return what rdetoolkit hands to a callback."""
    names = ("struct", "main_image", "other_image", "thumbnail", "meta", "invoice", "tasksupport")
    places = {name: root / name for name in names}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    config = SimpleNamespace(system=SimpleNamespace(extended_mode=mode))
    return SimpleNamespace(config=config, rawfiles=rawfiles, **places)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.hspy",), "a.hspy"),
        (("a.mib", "a.hdr", "notes.txt", "MgO.cif", "recipe.yaml"), "a.mib"),
        (("scan.raw", "scan.xml"), "scan.xml"),
        (("scan.dm4", "about.xml"), "scan.dm4"),
        (("only.xml",), "only.xml"),
        (("store.zspy", "photo.png"), "store.zspy"),
    ],
)
def test_the_scan_is_found_among_the_files_beside_it(names: tuple[str, ...], expected: str) -> None:
    assert Inputs.of(map(Path, names)).scan.name == expected


@pytest.mark.parametrize("names", [(), ("MgO.cif",), ("recipe.yaml", "notes.txt"), ("a.hspy", "b.hspy")])
def test_no_scan_or_several_is_an_error_that_names_the_files(names: tuple[str, ...]) -> None:
    with pytest.raises(NoScanError, match="What to do") as caught:
        Inputs.of(map(Path, names))
    assert all(name in str(caught.value) for name in names)


def test_a_named_scan_is_taken_and_a_wrong_name_is_refused() -> None:
    files = [Path("a.hspy"), Path("b.hspy")]
    assert Inputs.of(files, named="b.hspy").scan.name == "b.hspy"
    with pytest.raises(NoScanError, match=r"c\.hspy"):
        Inputs.of(files, named="c.hspy")


def test_files_and_invoice_become_a_job(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("interpret: {identify: {candidates: [MgO.cif, Cu]}}\n")
    files = [tmp_path / name for name in ("scan.hspy", "MgO.cif", "recipe.yaml")]
    job = Job.of(
        files, Invoice.of({"custom": {"candidates": "Al", "components": 4}}), tmp_path / "tasksupport"
    )
    assert (job.scan, job.recipe) == (files[0], files[2])
    key, _, given = job.overrides[0].partition("=")
    assert key == "interpret.identify.candidates"
    assert json.loads(given) == [str(files[1]), "Al", "Cu"]  # the uploaded MgO.cif in place of the recipe's
    assert job.overrides[1:] == ("factorize.components=4",)


def test_the_template_has_a_recipe_and_structures_for_tiles_without(tmp_path: Path) -> None:
    (tmp_path / "cif").mkdir()
    for name in ("MgO", "other"):
        text = (ROOT / "examples/data/MgO.cif").read_text()
        (tmp_path / "cif" / f"{name}.cif").write_text(text if name == "MgO" else text.replace("Mg", "Zr"))
    (tmp_path / "recipe.yaml").write_text("factorize: {seed: 1}\n")
    job = Job.of([Path("scan.hspy")], Invoice.of({"custom": {"elements": "Mg O"}}), tmp_path)
    assert job.recipe == tmp_path / "recipe.yaml"
    assert json.loads(job.overrides[0].partition("=")[2])[0] == str(tmp_path / "cif/MgO.cif")
    assert "other" not in job.overrides[0]
    assert Job.of([Path("scan.hspy")], Invoice(), tmp_path).overrides == ()


def test_a_shipped_recipe_is_asked_for_by_name_where_the_file_names_none(tmp_path: Path) -> None:
    invoice = Invoice.of({"custom": {"recipe": "spectrum"}})
    assert Job.of([Path("scan.hspy")], invoice, tmp_path).recipe == {"extends": "spectrum"}
    (tmp_path / "recipe.yaml").write_text("extends: diffraction\n")
    assert Job.of([Path("scan.hspy")], invoice, tmp_path).recipe == tmp_path / "recipe.yaml"


def test_every_error_of_unmixel_has_a_code_that_says_most() -> None:
    numbers = [code.number for code in CODES]
    assert numbers == sorted(set(numbers))
    for index, code in enumerate(CODES):
        assert not any(issubclass(later.kind, code.kind) for later in CODES[index + 1 :]), code
    kinds = [
        kind for kind in vars(tree).values() if isinstance(kind, type) and issubclass(kind, UnmixelError)
    ]
    for kind in (*kinds, NoScanError, InvoiceError):
        code = next(code for code in CODES if issubclass(kind, code.kind))
        assert code.number < 199
    page = (ROOT / "docs/reference/rde.md").read_text(encoding="utf-8")
    for code in CODES:
        assert f"| {code.number} | {code.meaning} | {code.remedy} |" in page


def test_messages_are_one_line_and_tell_no_place() -> None:
    error = InputError("file '/home/ada/scans/MgO.hspy'", expected="a\nscan", got="nothing", hint="copy it")
    assert message_of(error) == "file 'MgO.hspy': expected a scan, got nothing. What to do: copy it."
    assert message_of(ZeroDivisionError("oh")) == "unexpected ZeroDivisionError: oh"


@pytest.mark.usefixtures("toolkit")
def test_errors_become_structured_ones_with_their_cause() -> None:
    with pytest.raises(StructuredError) as caught, structured():
        raise RecipeError("no such entry")
    assert (caught.value.ecode, caught.value.emsg) == (121, "no such entry")
    assert caught.value.eobj is caught.value.__cause__
    with pytest.raises(StructuredError, match="already") as kept, structured():
        raise StructuredError("already", 50)
    assert kept.value.ecode == 50
    with pytest.raises(StructuredError) as odd, structured():
        raise KeyError("x")
    assert odd.value.ecode == code_of(KeyError("x")) == 199


def test_naming_the_callback_loads_nothing_heavy() -> None:
    code = "import sys, unmixel.rde; unmixel.rde.dataset; print({'numpy', 'rdetoolkit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_rdetoolkit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rdetoolkit", None)
    monkeypatch.setitem(sys.modules, "rdetoolkit.exceptions", None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[fair\]"):
        dataset(paths_in(tmp_path))


@pytest.mark.usefixtures("toolkit")
def test_a_tile_fills_the_folders_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text("page"))
    for picture in ("main_picture", "thumbnail"):  # drawn in the tests of the layout
        monkeypatch.setattr(layout, picture, lambda result: b"picture")
    monkeypatch.setattr(layout, "other_pictures", lambda result: [("groups", b"picture")])
    raw = tmp_path / "raw/scan.npz"
    raw.parent.mkdir()
    lines = np.exp(-(((np.arange(20)[:, None] - [5, 14]) / 1.5) ** 2)).T
    counts = np.random.default_rng(0).poisson(np.random.default_rng(1).gamma(0.5, 40.0, (6, 7, 2)) @ lines)
    np.savez(raw, data=counts.astype(np.uint16))
    paths = paths_in(tmp_path, raw)
    custom = {"components": 2, "recipe_settings": "factorize.max_iter=3\nfactorize.uncertainty=none"}
    (paths.invoice / "invoice.json").write_text(json.dumps({"custom": custom}))
    dataset(paths)
    assert {"result.nxs", "components.csv", "recipe.yaml"} <= {file.name for file in paths.struct.iterdir()}
    assert [file.name for file in paths.main_image.iterdir()] == ["scan_overview.png"]
    assert [file.name for file in paths.thumbnail.iterdir()] == ["scan.png"]
    meta = json.loads((paths.meta / "metadata.json").read_text(encoding="utf-8"))["constant"]
    assert meta["unmixel.number_of_components"]["value"] == 2
    assert meta["measurement_technique"]["value"] == "STEM spectrum imaging"


@pytest.mark.usefixtures("toolkit")
def test_an_export_is_registered_without_doing_it_again(tmp_path: Path) -> None:
    picture = tmp_path / "temp/thumbnail/mgo.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")
    paths = paths_in(tmp_path, picture, tmp_path / "temp/structured/result.nxs", mode="rdeformat")
    dataset(paths)
    assert (paths.thumbnail / "mgo.png").read_bytes() == b"picture"
    assert not any(paths.struct.iterdir())
