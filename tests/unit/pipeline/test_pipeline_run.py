"""A run from file to folder: nothing lost, nothing overwritten, the same again from its own recipe."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.core.errors import InputError, ReadError, RecipeError, RunExistsError
from unmixel.dataset.calibration import Calibration, CalibrationFit, SpotResiduals
from unmixel.dataset.scan import Scan
from unmixel.io.nexus import jsonable
from unmixel.pipeline import stages
from unmixel.pipeline.kept import load, rewrite_report
from unmixel.pipeline.plan import plan
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.run import run
from unmixel.pipeline.summary import lines, summary
from unmixel.report.citation import citation

pytestmark = pytest.mark.usefixtures("no_page")


class Heard:
    """Progress that remembers, and stops a run at a sweep when asked to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.sweeps: list[int] = []
        self.stop_at = stop_at

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        assert np.isfinite(objective)
        assert sweep <= limit
        self.sweeps.append(sweep)
        if sweep == self.stop_at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_same_result(found: Any, wanted: Any) -> None:
    for name in ("maps", "patterns"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), strict=True)
    assert found.factors.convergence == wanted.factors.convergence
    assert found.factors.flags == wanted.factors.flags
    np.testing.assert_array_equal(found.groups.labels, wanted.groups.labels)
    assert found.particles.table == wanted.particles.table


def test_a_run_writes_everything_and_load_gives_it_back(file: Path, quick: Any, tmp_path: Path) -> None:
    heard = Heard()
    result = run(file, quick, out=tmp_path / "o", progress=heard)
    assert sorted(member.name for member in (tmp_path / "o").iterdir()) == sorted(
        {
            "recipe.yaml",
            "result.nxs",
            "components.csv",
            "groups.csv",
            "particles.csv",
            "report.html",
            "record.json",
            "methods.md",
            "references.bib",
        }
    )
    assert heard.stages == [
        "read",
        "card",
        "prepare",
        "overview",
        "factorize",
        "judge",
        "interpret",
        "write",
        "report",
    ]
    assert heard.sweeps == list(range(1, 13))
    found = load(tmp_path / "o")
    assert_same_result(found, result)
    assert found.record == result.record
    assert found.recipe == result.recipe
    assert found.card == result.card
    assert found.folder == result.folder == tmp_path / "o"
    assert set(found.extras) == set(result.extras) >= {"mean_pattern", "mean_map", "virtual_inner"}
    assert found.factors.settings == jsonable(result.factors.settings)
    assert (tmp_path / "o" / "report.html").read_text() == "finished"
    assert citation(result).endswith((tmp_path / "o" / "references.bib").read_text())
    from_file = load(tmp_path / "o" / "result.nxs")
    assert_same_result(from_file, result)
    assert from_file.record["status"] == "finished"


def test_the_record_tells_how(file: Path, quick: Any, tmp_path: Path) -> None:
    run(file, quick, out=tmp_path / "o", command="unmixel run scan.npz")
    record = json.loads((tmp_path / "o" / "record.json").read_text())
    assert record["status"] == "finished"
    assert record["error"] is None
    assert record["command"] == "unmixel run scan.npz"
    assert record["seed"] == 0
    assert record["input"]["path"] == file.name
    assert record["code"]["unmixel"]["version"] == record["versions"]["unmixel"]
    assert len(record["code"]["unmixel"]["sha256"]) == 64
    assert record["input"]["covers"] == "the whole file"
    assert len(record["input"]["sha256"]) == 64
    assert record["input"]["shape"] == [13, 17, 21, 18]
    assert record["versions"]["numpy"] == np.__version__
    assert record["started"] <= record["finished"]
    assert set(record["timings_s"]) == {
        "read", "card", "prepare", "overview", "factorize", "judge", "interpret", "write", "report",
    }  # fmt: skip
    assert record["files"] == [
        "recipe.yaml", "result.nxs", "components.csv", "groups.csv", "particles.csv", "report.html", "methods.md",
        "references.bib",
    ]  # fmt: skip


def test_a_calibrated_scan_keeps_its_calibration(scan: Scan, quick: Any, tmp_path: Path) -> None:
    none = np.zeros(0)
    spots = SpotResiduals(
        none.astype(int), np.zeros((0, 2)), none, none, none, np.zeros((0, 3), int), none, none > 0, none > 0
    )
    where = Calibration.from_steps((10.5, 9.25), (0.04, 0.05))
    covariance = np.diag([0.01, 0.04, 1e-6, 1e-4, np.inf])
    fit = CalibrationFit(where, covariance, "Al", spots, 0.0, 0, 0.0, 1.0, 0.1, True, "as written")
    quick["prepare"] = [{"crop": {"pattern": [[1, 20], [2, 17]]}}]
    result = run(fit.on(scan), quick, out=tmp_path / "o")
    found = load(tmp_path / "o")
    for one in (result, found):
        assert one.calibration is not None
        assert one.calibration.calibration == where
        np.testing.assert_array_equal(one.calibration.covariance, covariance)
        assert [axis.scale for axis in one.factors.pattern_axes] == pytest.approx([0.04, 0.05])
        assert [step["name"] for step in one.record["steps"]] == ["calibrate", "crop"]
        values = one.record["steps"][0]["values"]
        assert values["center_u_error_px"] == pytest.approx(0.2)
        assert values["scale_error"] == pytest.approx(1e-3 * where.scale)
        assert values["ratio_error"] is None  # which nothing determines
    assert run(scan, quick, out=tmp_path / "bare").calibration is None


def test_the_resolved_recipe_reproduces_the_run(file: Path, tmp_path: Path) -> None:
    quick = {
        "factorize": {"components": 3, "max_iter": 5, "sketch_sweeps": 3},
        "prepare": [{"poisson_weights": {}}],
    }
    texts = [
        "factorize.constraints.spot_shape=null",
        "factorize.seed=7",
        "factorize.constraints.sparse.weight=1.5",
    ]
    first = run(file, quick, out=tmp_path / "a", overrides=texts)
    second = run(file, tmp_path / "a" / "recipe.yaml", out=tmp_path / "b")
    assert_same_result(second, first)
    assert [step["name"] for step in second.record["steps"]] == ["poisson_weights"]
    assert Recipe.load(tmp_path / "a" / "recipe.yaml") == Recipe.load(tmp_path / "b" / "recipe.yaml")


def test_in_memory_and_from_file_are_the_same(file: Path, scan: Scan, quick: Any, tmp_path: Path) -> None:
    assert_same_result(run(scan, quick, out=tmp_path / "a"), run(str(file), quick, out=tmp_path / "b"))


def test_arrays_in_a_recipe_are_kept_and_used_again(scan: Scan, quick: Any, tmp_path: Path) -> None:
    known = scan.data.mean(axis=(0, 1))
    quick["factorize"]["constraints"] = [{"pinned": {"values": known}}]
    first = run(scan, quick, out=tmp_path / "a")
    second = run(scan, tmp_path / "a" / "recipe.yaml", out=tmp_path / "b")
    assert_same_result(second, first)
    assert (
        "result.nxs#entry/arrays/constraints.0.pinned.values" in (tmp_path / "a" / "recipe.yaml").read_text()
    )
    cosine = [float((p * known).sum() / np.linalg.norm(p) / np.linalg.norm(known)) for p in first.patterns]
    assert max(cosine) == pytest.approx(1.0, abs=1e-5)


def test_a_folder_is_never_overwritten_unless_told(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    run(file, quick, out=out)
    (out / "notes.txt").write_text("mine")
    before = {member.name: member.read_bytes() for member in out.iterdir()}
    with pytest.raises(RunExistsError, match="--force"):
        run(file, quick, out=out)
    assert {member.name: member.read_bytes() for member in out.iterdir()} == before
    quick["factorize"]["components"] = 2
    assert run(file, quick, out=out, force=True).maps.shape[0] == 2
    assert (out / "notes.txt").read_text() == "mine"
    assert load(out).maps.shape[0] == 2


def test_the_default_folder_is_named_after_the_scan(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(file, quick).folder == Path("scan.run")
    assert (tmp_path / "here" / "scan.run" / "result.nxs").is_file()


@pytest.mark.parametrize(
    ("given", "recipe", "error"),
    [
        ("missing.npz", {}, ReadError),
        ("scan", {"factorize": {"componets": 2}}, RecipeError),
        ("scan", "missing.yaml", RecipeError),
    ],
)
def test_what_cannot_run_leaves_nothing_behind(
    given: str, recipe: Any, error: Any, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(error):
        run(file if given == "scan" else tmp_path / given, recipe, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_a_scan_in_memory_is_not_read_in_some_other_way(scan: Scan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unmixel\.open"):
        run(scan, {"read": {"scan_shape": [17, 13]}}, out=tmp_path / "o")


def test_an_uncalibrated_scan_says_px(quick: Any, scan: Scan, tmp_path: Path) -> None:
    heard = Heard()
    run(Scan.from_array(scan.data), quick, out=tmp_path / "o", progress=heard)
    header = (tmp_path / "o" / "particles.csv").read_text().splitlines()[0]
    assert header == "id,group,y_px,x_px,area_px2,diameter_px,on_border,fit_diameter_px,aspect_ratio"
    assert any("not calibrated" in note for note in heard.notes)
    calibrated = run(scan, quick, out=tmp_path / "c")
    header = (tmp_path / "c" / "particles.csv").read_text().splitlines()[0]
    assert header == "id,group,y_nm,x_nm,area_nm2,diameter_nm,on_border,fit_diameter_nm,aspect_ratio"
    rows = table(tmp_path / "c" / "particles.csv")
    assert calibrated.particles is not None
    assert [float(row["diameter_nm"]) for row in rows] == pytest.approx(
        [particle.diameter for particle in calibrated.particles.table]
    )


def test_spectra_run_by_the_shipped_recipe(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines_ = np.exp(-(((np.arange(60)[None] - np.array([15, 40])[:, None]) / 4) ** 2))
    data = rng.poisson(rng.gamma(1.0, 30.0, (7, 9, 2)) @ lines_).astype(np.uint16)
    scan = Scan.from_array(data, pattern_step=(10.0, "eV"))
    result = run(scan, out=tmp_path / "o", overrides=["factorize.components=2"])
    assert result.patterns.shape == (2, 60)
    assert result.particles is None
    assert result.groups is not None
    assert not (tmp_path / "o" / "particles.csv").exists()
    assert "virtual_inner" not in result.extras
    assert [step["name"] for step in result.record["steps"]] == ["poisson_weights"]
    assert load(tmp_path / "o").particles is None


def test_line_scans_have_no_particles_and_say_so(quick: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    line = Scan.from_array(rng.poisson(4.0, (19, 8, 9)), n_pattern_axes=2)
    result = run(line, quick, out=tmp_path / "o")
    assert result.maps.shape == (3, 19)
    assert result.particles is None
    assert any("two axes" in note for note in result.record["notes"])


def test_tables_agree_with_the_result(file: Path, quick: Any, tmp_path: Path) -> None:
    result = run(file, quick, out=tmp_path / "o")
    components = table(tmp_path / "o" / "components.csv")
    assert [int(row["component"]) for row in components] == [0, 1, 2]
    np.testing.assert_allclose(
        [float(row["strength"]) for row in components], result.factors.strengths, rtol=1e-8
    )
    for row, image in zip(components, result.maps, strict=True):
        y, x = (round(float(row[f"max_at_{name}_nm"]) / 1.5) for name in "yx")
        assert image[y, x] == image.max()
    assert result.groups is not None
    groups = table(tmp_path / "o" / "groups.csv")
    assert len(groups) == result.groups.n_groups
    members = [[int(k) for k in row["components"].split()] for row in groups]
    assert [result.groups.labels[k] for ks in members for k in ks] == [
        g for g, ks in enumerate(members) for _ in ks
    ]


def test_a_summary_in_words_and_numbers(file: Path, quick: Any, tmp_path: Path) -> None:
    result = run(file, quick, out=tmp_path / "o")
    found = json.loads(json.dumps(jsonable(summary(result)), allow_nan=False))
    assert found["components"] == 3
    assert found["folder"] == str(tmp_path / "o")
    assert found["status"] == "finished"
    told = "\n".join(lines(result))
    assert "3 components, 12 sweeps" in told
    assert "report.html" in told


def test_a_dry_run_does_nothing(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    what = plan(file, quick)
    assert sorted(tmp_path.iterdir()) == before
    assert what.scan_shape == what.prepared_scan_shape == (13, 17)
    assert what.pattern_shape == (21, 18)
    assert what.n_bytes["data"] == 13 * 17 * 21 * 18 * 2
    assert what.n_bytes["peak"] > 0
    assert Recipe.from_dict(what.recipe).factorize.components == 3
    assert "components: 3" in what.recipe_text
    told = dict(what.rows())
    assert told["shape as read"] == "13 x 17 | 21 x 18"
    assert "nothing" in told["done"]
    json.dumps(what.to_dict(), allow_nan=False)


def test_a_dry_run_knows_the_shape_after_crop_and_bin(file: Path, quick: Any) -> None:
    quick["prepare"] = [
        {"crop": {"pattern": [[1, -1], None], "scan": [None, [2, 10]]}},
        {"bin": {"pattern": 2}},
    ]
    what = plan(file, quick)
    assert (what.prepared_scan_shape, what.prepared_pattern_shape) == ((13, 8), (9, 9))
    assert (what.scan_shape, what.pattern_shape) == ((13, 17), (21, 18))


def test_axes_follow_crop_and_bin_into_the_result(file: Path, quick: Any, tmp_path: Path) -> None:
    quick["prepare"] = [{"crop": {"scan": [[1, None], [2, 10]]}}, {"bin": {"pattern": 2}}]
    result = run(file, quick, out=tmp_path / "o")
    assert result.maps.shape == (3, 12, 8)
    assert result.patterns.shape == (3, 10, 9)
    assert result.extras["mean_map"].shape == (12, 8)
    found = load(tmp_path / "o")
    assert found.factors.scan_axes[1].offset == pytest.approx(2 * 1.5)
    assert found.factors.pattern_axes[0].scale == pytest.approx(0.1)
    assert [step["name"] for step in found.record["steps"]] == ["crop", "bin"]
    again = run(file, tmp_path / "o" / "recipe.yaml", out=tmp_path / "again")
    assert_same_result(again, result)


def test_the_page_is_written_anew(file: Path, quick: Any, tmp_path: Path) -> None:
    run(file, quick, out=tmp_path / "o")
    (tmp_path / "o" / "report.html").unlink()
    assert rewrite_report(tmp_path / "o") == tmp_path / "o" / "report.html"
    assert (tmp_path / "o" / "report.html").is_file()


def test_folders_without_a_result_say_why(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no run"):
        load(tmp_path / "missing")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "record.json").write_text('{"status": "interrupted"}')
    with pytest.raises(ReadError, match="interrupted and has no factors yet"):
        load(tmp_path / "o")


def test_the_page_is_the_last_thing_that_can_fail(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(result: Any, path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(stages, "report", broken)
    with pytest.raises(OSError, match="disk full"):
        run(file, quick, out=tmp_path / "o")
    assert not (tmp_path / "o" / "report.html").exists()
    found = load(tmp_path / "o")
    assert found.groups is not None
    assert found.record["status"] == "failed"
    assert found.record["error"] == "OSError: disk full"
    assert found.record["stage"] == "report"


def test_a_suspicious_camera_does_not_pass_silently(quick: Any, tmp_path: Path) -> None:
    """Bright rows at the rim: the card warns, the run says so and leaves a mask that the next run can use."""
    from unmixel.testing import phantoms

    scan, _ = phantoms.glass(scan=(16, 20), detector=(32, 32), precipitates=3, seed=1)
    data = np.asarray(scan.data).copy()
    data[..., :2, :] += np.random.default_rng(0).poisson(200, (16, 20, 2, 32)).astype(data.dtype)
    heard = Heard()
    result = run(replace(scan, data=data), quick, out=tmp_path / "o", progress=heard)
    rows = {row.label: row for row in result.card.rows}
    assert rows["Detector rim"].light == "yellow"
    assert any("suspicious pixels" in text for text in heard.notes)
    use = np.load(tmp_path / "o" / "use_pixels.npy")
    assert not use[:2].any()
    assert use[4:].all()
    assert "use_pixels.npy" in result.record["files"]
