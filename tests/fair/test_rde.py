"""RDE for real: the template as written, run by rdetoolkit in a process of its own, and judged by its own commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rdetoolkit", reason="needs the extra fair")

from PIL import Image
from rdetoolkit.rde2util import Meta

import unmixel
from unmixel.core import registry
from unmixel.pipeline.export import export
from unmixel.rde.metadata import definition
from unmixel.rde.scaffold import init

ROOT = Path(__file__).parents[2]
EDX = ROOT.parent / "shared/data/edx_geology/88_ES-LP_G8_selection2_cropped2.hspy"
QUICK = {"components": 3, "recipe_settings": "factorize.max_iter=20\nfactorize.uncertainty=none"}


def rdetoolkit(*words: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of rdetoolkit."""
    command = [sys.executable, "-m", "rdetoolkit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


class Template:
    """A dataset template as `unmixel rde init` writes it, with what a user and RDE put into it."""

    def __init__(self, root: Path) -> None:
        self.root, self.data = root, root / "container/data"
        init(root)

    def put(self, *files: Path, custom: Mapping[str, Any] | None = None, mode: str | None = None) -> None:
        """Lay input files into the template, write into the invoice, choose the mode."""
        for file in files:
            shutil.copy(file, self.data / "inputdata")
        invoice = self.data / "invoice/invoice.json"
        values = json.loads(invoice.read_text(encoding="utf-8"))
        values["custom"] |= {**QUICK, **(custom or {})}
        invoice.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        if mode is not None:
            config = self.data / "tasksupport/rdeconfig.yaml"
            text = config.read_text(encoding="utf-8")
            assert text.count("extended_mode: null") == 1
            config.write_text(text.replace("extended_mode: null", f"extended_mode: {mode}"), encoding="utf-8")

    def run(self) -> subprocess.CompletedProcess[str]:
        """Start what the container starts."""
        command = [sys.executable, "main.py"]
        return subprocess.run(command, cwd=self.root / "container", capture_output=True, text=True)

    def validate(self, tile: str = "") -> None:
        """Ask every judge of rdetoolkit about the template and a tile that was structured."""
        support, place = self.data / "tasksupport", self.data / tile
        for words in (
            ("all", self.root),
            ("metadata-def", support / "metadata-def.json"),
            ("invoice-schema", support / "invoice.schema.json"),
            ("metadata", place / "meta/metadata.json", "--schema", support / "metadata-def.json"),
            ("invoice", place / "invoice/invoice.json", "--schema", support / "invoice.schema.json"),
        ):
            done = rdetoolkit("validate", *words, "--strict")
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def meta(self, tile: str = "") -> dict[str, Any]:
        """Return the values of ``metadata.json`` without units."""
        given = json.loads((self.data / tile / "meta/metadata.json").read_text(encoding="utf-8"))
        constant = {key: entry["value"] for key, entry in given["constant"].items()}
        return constant | {"groups": given["variable"]}

    def failure(self) -> tuple[int, str]:
        """Return code and message of ``job.failed``."""
        code, message = (self.data / "job.failed").read_text(encoding="utf-8").splitlines()
        return int(code.removeprefix("ErrorCode=")), message.removeprefix("ErrorMessage=")


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return Template(tmp_path / "template")


def spectrum_image(path: Path, seed: int) -> Path:
    """Write a small EDX spectrum image: two halves, each with a line of its own."""
    from rsciio.hspy import file_writer

    path.parent.mkdir(exist_ok=True)
    energy = np.arange(64)
    lines = [np.exp(-0.5 * ((energy - place) / 2.0) ** 2) + 0.02 for place in (15, 40)]
    parts = np.zeros((8, 10, 2))
    parts[:, :5, 0] = parts[:, 5:, 1] = 60.0
    counts = np.random.default_rng(seed).poisson(parts @ np.stack(lines)).astype(np.uint16)
    axes = [
        {"name": name, "size": size, "scale": scale, "offset": 0.0, "units": unit, "navigate": navigate}
        for name, size, scale, unit, navigate in (
            ("y", 8, 2.0, "nm", True), ("x", 10, 2.0, "nm", True), ("Energy", 64, 0.1, "keV", False),
        )
    ]  # fmt: skip
    metadata = {
        "Signal": {"signal_type": "EDS_TEM"},
        "General": {"title": "planted"},
        "Acquisition_instrument": {"TEM": {"beam_energy": 200.0}},
    }
    signal = {
        "data": counts, "axes": axes, "metadata": metadata, "original_metadata": {}, "package": "tests",
        "package_version": "1", "package_info": "", "tmp_parameters": {}, "attributes": {"_lazy": False},
        "learning_results": {}, "models": {},
    }  # fmt: skip
    file_writer(path, signal)
    return path


def folders_of(template: Template, tile: str = "") -> dict[str, set[str]]:
    place = template.data / tile
    names = ("raw", "structured", "main_image", "other_image", "thumbnail", "meta")
    return {name: {file.name for file in (place / name).iterdir()} for name in names}


def test_a_diffraction_scan_with_recipe_and_candidate_fills_all_folders(
    template: Template, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("prepare:\n- center: {}\n- mask_beam: {}\n- poisson_weights: {}\nfactorize:\n  constraints:\n"
                      "  - nonnegative: {}\n", encoding="utf-8")  # fmt: skip
    data = ROOT / "examples/data"
    template.put(data / "mgo_crop.hspy", data / "MgO.cif", recipe)

    done = template.run()
    assert done.returncode == 0, done.stderr
    assert not (template.data / "job.failed").exists()
    template.validate()

    found = folders_of(template)
    assert found["raw"] == {"mgo_crop.hspy", "MgO.cif", "recipe.yaml"}
    tables = {"components.csv", "groups.csv", "phases.csv", "particles.csv"}
    assert found["structured"] >= {"result.nxs", "report.html", "recipe.yaml", "record.json", *tables}
    assert found["main_image"] == {"mgo_crop_overview.png"}
    assert found["thumbnail"] == {"mgo_crop.png"}
    with Image.open(template.data / "thumbnail/mgo_crop.png") as picture:
        assert picture.size == (640, 480)
    assert {"mgo_crop_components.png", "mgo_crop_groups.png"} <= found["other_image"]

    result = unmixel.load(template.data / "structured/result.nxs")
    meta = template.meta()
    assert result.factors.n_components == meta["unmixel.number_of_components"] == 3
    assert meta["measurement_technique"] == "4D-STEM"
    assert meta["unmixel.constraints"] == "nonnegative"  # of recipe.yaml
    assert (meta["stem.acceleration_voltage"], meta["stem.pixel_size_along_x_axis"]) == (300_000.0, 3.03)
    assert result.groups is not None
    assert len(meta["groups"]) == result.groups.n_groups
    assert [one["name"] for one in result.record["candidates"]] == ["MgO"]
    invoice = json.loads((template.data / "invoice/invoice.json").read_text(encoding="utf-8"))
    assert "成分数:3" in invoice["basic"]["description"]


@pytest.fixture(scope="module")
def structured(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A small spectrum image of two planted halves, structured."""
    place = tmp_path_factory.mktemp("edx")
    template = Template(place / "template")
    template.put(spectrum_image(place / "edx.hspy", 1), custom={"components": 2})
    done = template.run()
    assert done.returncode == 0, done.stderr
    return template


def test_a_spectrum_image_is_taken_apart_into_its_planted_halves(structured: Template) -> None:
    structured.validate()
    meta = structured.meta()
    assert (meta["measurement_technique"], meta["edx.number_of_channels"]) == ("EDX", 64)
    assert meta["edx.energy_dispersion_per_channel"] == 100.0
    maps = unmixel.load(structured.data / "structured/result.nxs").maps
    left = [bool(one[:, :5].sum() > 20 * one[:, 5:].sum()) for one in maps]
    right = [bool(one[:, 5:].sum() > 20 * one[:, :5].sum()) for one in maps]
    assert sorted(left) == sorted(right) == [False, True]
    assert left != right


def test_nothing_structured_tells_where_or_by_whom_it_was_done(structured: Template) -> None:
    for folder in ("structured", "meta"):
        for file in (structured.data / folder).iterdir():
            told = file.read_bytes()
            assert str(structured.root.parent).encode() not in told, file
            assert str(Path.home()).encode() + b"/" not in told, file


def test_rdetoolkit_itself_would_have_written_the_same_values(structured: Template, tmp_path: Path) -> None:
    terms, ours = structured.data / "tasksupport/metadata-def.json", structured.data / "meta/metadata.json"
    assert json.loads(terms.read_text(encoding="utf-8")) == definition()
    given = json.loads(ours.read_text(encoding="utf-8"))
    meta = Meta(terms)
    meta.assign_vals({key: entry["value"] for key, entry in given["constant"].items()})
    for key in {key for row in given["variable"] for key in row}:
        meta.assign_vals({key: [row[key]["value"] for row in given["variable"]]})
    meta.writefile(str(tmp_path / "theirs.json"))
    assert json.loads((tmp_path / "theirs.json").read_text(encoding="utf-8")) == given


@pytest.mark.real
def test_a_measured_edx_scan_goes_through(template: Template) -> None:
    if not EDX.is_file():
        pytest.skip("the measured EDX scan lies beside the repository and is not there")
    template.put(EDX)
    done = template.run()
    assert done.returncode == 0, done.stderr
    template.validate()
    meta = template.meta()
    assert (meta["measurement_technique"], meta["stem.pixel_number_along_x_axis"]) == ("EDX", 80)
    assert (template.data / "raw" / EDX.name).is_file()


def test_every_file_is_a_tile_in_multi_data_tile_mode(template: Template, tmp_path: Path) -> None:
    scans = [spectrum_image(tmp_path / f"{name}.hspy", seed) for seed, name in enumerate(("a", "b"))]
    (template.data / "tasksupport/recipe.yaml").write_text("factorize: {seed: 7}\n", encoding="utf-8")
    template.put(*scans, mode="MultiDataTile")
    done = template.run()
    assert done.returncode == 0, done.stderr
    for tile, name in (("", "a"), ("divided/0001", "b")):
        template.validate(tile)
        assert folders_of(template, tile)["raw"] == {f"{name}.hspy"}
        assert template.meta(tile)["stem.file_name"] == f"{name}.hspy"
        assert template.meta(tile)["unmixel.random_seed"] == 7  # of the template's recipe


def test_a_damaged_file_is_a_structured_error(template: Template, tmp_path: Path) -> None:
    broken = tmp_path / "broken.hspy"
    broken.write_bytes((ROOT / "examples/data/mgo_crop.hspy").read_bytes()[:20_000])
    template.put(broken)
    assert template.run().returncode == 1
    code, message = template.failure()
    assert code == 112
    assert "broken.hspy" in message
    assert "What to do" in message
    assert not any((template.data / "meta").iterdir())


def test_a_wrong_setting_is_a_structured_error(template: Template, tmp_path: Path) -> None:
    template.put(
        spectrum_image(tmp_path / "edx.hspy", 0), custom={"recipe_settings": "factorize.componets=4"}
    )
    assert template.run().returncode == 1
    code, message = template.failure()
    assert code == 121
    assert "components" in message


def test_a_damaged_tile_does_not_stop_the_others_where_errors_are_ignored(
    template: Template, tmp_path: Path
) -> None:
    broken = tmp_path / "a.hspy"
    broken.write_bytes(b"no scan")
    template.put(broken, spectrum_image(tmp_path / "b.hspy", 0), mode="MultiDataTile")
    config = template.data / "tasksupport/rdeconfig.yaml"
    config.write_text(config.read_text().replace("ignore_errors: false", "ignore_errors: true"))
    done = template.run()
    assert done.returncode == 0, done.stderr
    assert template.meta("divided/0001")["stem.file_name"] == "b.hspy"
    assert not any((template.data / "meta").iterdir())


def test_every_row_of_a_smart_table_is_a_tile_with_settings_of_its_own(
    template: Template, tmp_path: Path
) -> None:
    spectrum_image(tmp_path / "files/edx.hspy", 0)
    packed = shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path / "files")
    table = tmp_path / "smarttable_edx.csv"
    rows = (
        "file,name,components",
        "inputdata1,basic/dataName,custom/components",
        "edx.hspy,two,2",
        "edx.hspy,three,3",
    )
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    template.put(table, Path(packed), custom={"components": None})
    done = template.run()
    assert done.returncode == 0, done.stderr
    found = {}
    for tile in ("", "divided/0001"):
        template.validate(tile)
        invoice = json.loads((template.data / tile / "invoice/invoice.json").read_text(encoding="utf-8"))
        found[invoice["basic"]["dataName"]] = template.meta(tile)["unmixel.number_of_components"]
    assert found == {"two": 2, "three": 3}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run, exported and found right by the judge."""
    place = tmp_path_factory.mktemp("export")
    recipe = {"factorize": {"components": 3, "max_iter": 5, "uncertainty": "none"}}
    unmixel.run("demo:glass?scan=16x16&detector=24x24&dose=4000", recipe, out=place / "glass.run")
    (done,) = export(place / "glass.run", "rde", out=place, check=True)
    assert (done.error, done.unchecked, done.findings) == ("", "", ())
    return done.path


def test_an_exported_run_is_registered_as_it_is(template: Template, exported: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "glass"), "zip", exported)
    template.put(Path(packed), mode="rdeformat")
    ran = template.run()
    assert ran.returncode == 0, ran.stderr
    template.validate()
    for folder, names in folders_of(template).items():
        if folder == "raw":
            names -= {"glass.zip"}
        assert names == {file.name for file in (exported / folder).iterdir()}, folder


def test_the_judge_finds_what_is_wrong_with_an_export(exported: Path) -> None:
    exporter = registry.load("exporters", "rde")()
    place = exported / "meta/metadata.json"
    sound = place.read_text(encoding="utf-8")
    for change in (
        lambda v: v["constant"]["unmixel.random_seed"].update(value="many"),
        lambda v: v["constant"]["stem.acceleration_voltage"].update(unit="kV"),
        lambda v: v["constant"].update(nobody={"value": 1}),
        lambda v: v["constant"].update(unmixel=1),
        lambda v: v.pop("variable"),
    ):
        values = json.loads(sound)
        change(values)
        place.write_text(json.dumps(values), encoding="utf-8")
        assert exporter.check(exported), values
    place.write_text(sound, encoding="utf-8")
    assert exporter.check(exported) == ()
