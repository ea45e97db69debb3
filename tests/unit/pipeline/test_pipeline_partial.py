"""What a run that did not end leaves can be looked at, and it is what the factorisation had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Scan
from unmixel.factorize.state import State
from unmixel.pipeline import partial, stages
from unmixel.pipeline.code import code
from unmixel.pipeline.folder import RunFolder
from unmixel.pipeline.kept import load
from unmixel.pipeline.partial import so_far
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.run import resume, run

pytestmark = pytest.mark.usefixtures("no_page")


class StopAt:
    """Progress that stops a run at a sweep, or when a stage begins."""

    def __init__(self, *, sweep: int | None = None, stage: str = "") -> None:
        self.at, self.in_stage = sweep, stage

    def stage(self, name: str) -> None:
        if name == self.in_stage:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        """Hear of nothing."""

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        if sweep == self.at:
            raise KeyboardInterrupt


def stopped(given: Any, recipe: Any, out: Path, **at: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(given, recipe, out=out, progress=StopAt(**at))


def misfit(scan: Scan, found: Any) -> float:
    """Return half the squared misfit of maps and patterns."""
    model = np.einsum("kyx,kvu->yxvu", found.maps.astype(np.float64), found.patterns.astype(np.float64))
    return 0.5 * float(((scan.data - model) ** 2).sum())


@pytest.mark.parametrize("sweep", [1, 4, 9])
def test_partial_factors_are_those_of_the_last_sweep(
    sweep: int, scan: Scan, file: Path, quick: Any, tmp_path: Path
) -> None:
    stopped(file, quick, tmp_path / "o", sweep=sweep)
    found = load(tmp_path / "o")
    assert found.record["status"] == "interrupted"
    assert found.record["partial"] == f"not ended: as it stood after sweep {sweep}"
    told = found.factors.convergence
    assert (told.converged, told.n_sweeps, len(told.objective)) == (False, sweep, sweep + 1)
    assert misfit(scan, found) == pytest.approx(told.objective[-1], rel=1e-4)
    np.testing.assert_allclose(found.patterns.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert np.all(np.diff(found.factors.strengths) <= 0)
    assert found.factors.strengths.sum() == pytest.approx(1)
    assert found.factors.scan_axes == scan.scan_axes
    assert found.card is not None
    assert "mean_pattern" in found.extras
    assert found.groups is None


def test_constraints_hold_in_partial_factors_and_masked_pixels_are_told(
    scan: Scan, quick: Any, tmp_path: Path
) -> None:
    weights = np.ones(scan.pattern_shape)
    weights[:3] = 0
    quick["factorize"]["constraints"] = [{"resolution": {"fwhm": 3.0, "unit": "px"}}]
    stopped(replace(scan, pixel_weights=weights), quick, tmp_path / "o", sweep=5)
    found = load(tmp_path / "o")
    assert not found.factors.used_pixels[:3].any()
    assert found.factors.used_pixels[3:].all()
    assert found.factors.fill == "zero"
    np.testing.assert_allclose(found.patterns[:, 3:].sum(axis=(1, 2)), 1, rtol=1e-5)


def test_partial_factors_go_when_the_run_has_ended(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    stopped(file, quick, out, sweep=4)
    assert {"partial.nxs", "resume.json", "checkpoint.npz"} <= {member.name for member in out.iterdir()}
    resume(out)
    assert not {"partial.nxs", "resume.json", "checkpoint.npz"} & {member.name for member in out.iterdir()}
    assert "partial" not in load(out).record


def test_showing_takes_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(partial, "monotonic", lambda: clock[0])
    pace, worked = partial.Pace(0.05), 0.0
    for _ in range(4_000):
        if pace.allows:
            with pace.work():
                clock[0] += 1.5
                worked += 1.5
        clock[0] += 0.25
    assert 0.04 < worked / (clock[0] - 100) <= 0.055


def test_a_state_from_the_disk_shows_nothing(scan: Scan) -> None:
    assert so_far(scan, State(1, (2.0, 1.0), np.ones((1, 2)), np.ones((1, 2))), fill="zero") is None


@pytest.mark.parametrize("stage", ["card", "overview"])
def test_without_factors_it_is_said_what_is_there(stage: str, file: Path, quick: Any, tmp_path: Path) -> None:
    stopped(file, quick, tmp_path / "o", stage=stage)
    with pytest.raises(
        ReadError, match=f"interrupted and has no factors yet, last in the stage '{stage}'"
    ) as caught:
        load(tmp_path / "o")
    assert "(there: resume.json, recipe.yaml, record.json)" in str(caught.value)
    with pytest.raises(ReadError, match="no run, and no such folder"):
        load(tmp_path / "nothing")


def test_a_run_whose_process_is_gone_was_interrupted(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    stopped(file, quick, out, sweep=4)
    record = json.loads((out / "record.json").read_text())
    (out / "record.json").write_text(json.dumps(record | {"status": "running"}))  # as SIGKILL leaves it
    assert load(out).record["status"] == "interrupted"
    with RunFolder(out).claimed():
        assert RunFolder(out).is_held
        assert load(out).record["status"] == "running"
    assert not RunFolder(out).is_held


def test_what_a_killed_writer_left_is_cleared(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    stopped(file, quick, out, sweep=4)
    for name in (".result.4711.part.nxs", ".record.4711.part.json", ".partial.4711.part.nxs"):
        (out / name).write_bytes(b"half")
    (out / ".mine").write_text("kept")
    run(file, quick, out=out)
    assert [member.name for member in out.iterdir() if member.name.startswith(".")] == [".mine"]


def test_a_damaged_partial_bundle_is_refused(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    stopped(file, quick, out, sweep=4)
    content = bytearray((out / "partial.nxs").read_bytes())
    content[len(content) // 2] ^= 1
    (out / "partial.nxs").write_bytes(content)
    with pytest.raises(ReadError, match="other bytes"):
        load(out)
    assert run(file, quick, out=out).record["status"] == "finished"  # which needs only the checkpoint


def test_factors_of_other_code_or_damaged_ones_are_told(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "o"
    stopped(file, quick, out, stage="interpret")
    damaged = bytearray((out / "result.nxs").read_bytes())
    whole = bytes(damaged)
    with monkeypatch.context() as changed:
        changed.setattr(
            "unmixel.pipeline.run.code", lambda *_: {**code(Recipe()), "plugins": {"steps:x": other()}}
        )
        notes = run(file, quick, out=out).record["notes"]
    assert any("another state of the code" in text for text in notes)
    record = json.loads((out / "record.json").read_text())
    (out / "record.json").write_text(json.dumps(record | {"status": "interrupted"}))
    damaged[-1] ^= 1
    (out / "result.nxs").write_bytes(damaged)
    notes = run(file, quick, out=out).record["notes"]
    assert any("earlier ones cannot be used: result bundle 'result.nxs'" in text for text in notes)
    assert len((out / "result.nxs").read_bytes()) > len(whole)


def other() -> dict[str, Any]:
    return {"distribution": "x", "version": "1", "sha256": "0" * 64, "files": 1}


def test_force_leaves_no_file_of_the_earlier_run(file: Path, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    run(file, quick, out=out)
    for name in ("phases.csv", "orientations.ang", "orientations.ctf", "partial.nxs"):
        (out / name).write_text("of an earlier run")
    run(file, quick, out=out, force=True)
    assert all("earlier" not in member.read_text(errors="replace") for member in out.iterdir())


def test_a_full_disk_fails_the_run_and_loses_nothing(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource", reason="limits of POSIX systems")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = run(file, quick, out=tmp_path / "a")
    card = stages.card

    def then_full(*given: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))  # room for the record, none for results
        return card(*given)

    out = tmp_path / "b"
    with monkeypatch.context() as changed:
        changed.setattr(stages, "card", then_full)
        try:
            with pytest.raises(
                unmixel.UnmixelError, match=r"could not be written: File too large.*make room"
            ) as caught:
                run(file, quick, out=out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(caught.value, OSError)
    record = json.loads((out / "record.json").read_text())
    assert record["status"] == "failed"
    assert "'result.nxs' could not be written" in record["error"]
    assert not list(out.glob(".*"))
    np.testing.assert_array_equal(run(file, quick, out=out).maps, wanted.maps)
