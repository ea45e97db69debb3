"""Interrupted and failed runs go on where they stopped, and end as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.core.errors import ReadError, RunExistsError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.pipeline import answers, stages
from unmixel.pipeline.kept import load
from unmixel.pipeline.run import resume, run

pytestmark = pytest.mark.usefixtures("no_page")


class StopAt:
    """Progress that behaves like Ctrl-C at a sweep."""

    def __init__(self, sweep: int | None) -> None:
        self.at, self.seen, self.notes = sweep, [], []  # type: int | None, list[int], list[str]

    def stage(self, name: str) -> None:
        pass

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        self.seen.append(sweep)
        if sweep == self.at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


def interrupt(file: Any, quick: Any, out: Path, sweep: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(file, quick, out=out, progress=StopAt(sweep))


def record_of(folder: Path) -> Any:
    return json.loads((folder / "record.json").read_text())


def assert_same_result(found: Any, wanted: Any) -> None:
    np.testing.assert_array_equal(found.maps, wanted.maps, strict=True)
    np.testing.assert_array_equal(found.patterns, wanted.patterns, strict=True)
    assert found.factors.convergence == wanted.factors.convergence
    assert found.particles.table == wanted.particles.table


def test_resumed_equals_uninterrupted(file: Path, quick: Any, tmp_path: Path) -> None:
    wanted = run(file, quick, out=tmp_path / "a")
    out = tmp_path / "b"
    for sweep in (4, 9):
        interrupt(file, quick, out, sweep)
        record = record_of(out)
        assert record["status"] == "interrupted"
        assert record["checkpoint_sweep"] == sweep
        assert record["stage"] == "factorize"
        assert (out / "recipe.yaml").is_file()
        assert sorted(member.name for member in out.iterdir()) == [
            "checkpoint.npz",
            "partial.nxs",
            "recipe.yaml",
            "record.json",
            "resume.json",
        ]
    heard = StopAt(None)
    found = run(file, quick, out=out, progress=heard)
    assert heard.seen == [10, 11, 12]
    assert any("sweep 9" in note for note in heard.notes)
    assert_same_result(found, wanted)
    assert not (out / "checkpoint.npz").exists()
    assert [entry["status"] for entry in found.record["resumed"]] == ["interrupted", "interrupted"]
    assert_same_result(load(out), wanted)


class Source:
    """A scan on disk that is interrupted at a given pass over its data."""

    def __init__(self, data: Any) -> None:
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.chunks = (1, *data.shape[1:])
        self.rows, self.fails, self.lock = 0, None, threading.Lock()  # type: int, float | None, Any

    def __getitem__(self, key: Any) -> Any:
        with self.lock:
            if self.fails is not None and self.rows >= self.fails * self.shape[0]:
                raise KeyboardInterrupt
            values = self.data[key]
            self.rows += len(values)
        return values

    def __dask_tokenize__(self) -> int:
        return id(self)


class Hears(StopAt):
    """Progress that notes how much was read before the factorisation."""

    def __init__(self, source: Source) -> None:
        super().__init__(None)
        self.source, self.before = source, 0

    def stage(self, name: str) -> None:
        if name == "factorize":
            self.before = self.source.rows


@pytest.mark.slow
@pytest.mark.parametrize("constraints", [[], [{"resolution": {"fwhm": 2.0, "unit": "px"}}]])
def test_interrupted_at_any_pass_even_of_the_sketch(constraints: Any, quick: Any, tmp_path: Path) -> None:
    # a sixth of the budget holds a row of positions, half of it not the scan at 8 bits
    rng = np.random.default_rng(5)
    rates = rng.gamma(0.5, 60.0, (16 * 17, 3)) @ rng.dirichlet(np.full(44 * 50, 0.3), 3)
    data = rng.poisson(20 * rates).astype(np.uint16).reshape(16, 17, 44, 50)
    quick["factorize"] |= {"max_iter": 2, "sketch_sweeps": 6, "start": "svd", "memory_budget_MB": 1}
    quick["factorize"] |= {"constraints": constraints, "residual_peaks": 0}  # which reads after the fit

    def attempt(name: str, fails: float | None) -> tuple[Any, Source, Hears]:
        source = Source(data)
        heard, source.fails = Hears(source), fails
        try:
            scan = Scan.from_array(wrap(source, data.shape), n_pattern_axes=2)
            found = run(scan, quick, out=tmp_path / name, progress=heard)
        except KeyboardInterrupt:
            found = None
        return found, source, heard

    wanted, source, heard = attempt("whole", None)
    assert "every pass reads" in wanted.factors.settings["held_in_memory"]
    n_passes, before, told = source.rows / 16, heard.before / 16, set()
    for done in range(1, round(n_passes - before)):
        assert attempt(f"o {done}", before + done + 0.5)[0] is None
        record = record_of(tmp_path / f"o {done}")
        assert record["status"] == "interrupted"
        told.add(record["checkpoint"])
        found, source, heard = attempt(f"o {done}", None)
        assert any(f"unfinished run: {record['checkpoint']}" in note for note in heard.notes)
        assert_same_result(found, wanted)
        left = {member.name for member in (tmp_path / f"o {done}").iterdir()}
        assert not {"sketch.npz", "checkpoint.npz"} & left
        assert "checkpoint" not in record_of(tmp_path / f"o {done}")
        if not constraints:  # a sweep that took several passes would be done again as a whole
            assert source.rows / 16 == n_passes - done
    assert "pass 1 of the sketch" in told
    assert {"the end of the sweeps", "sweep 2 of the factorisation"} & told
    assert {"sweep 1 of the factorisation", "the solve on the sketch"} & told


def test_a_scan_in_memory_is_resumed_too(scan: Scan, quick: Any, tmp_path: Path) -> None:
    wanted = run(scan, quick, out=tmp_path / "a")
    interrupt(scan, quick, tmp_path / "b", 5)
    with pytest.raises(ReadError, match="scan in memory"):
        resume(tmp_path / "b")
    assert_same_result(run(scan, quick, out=tmp_path / "b"), wanted)


def test_resume_needs_the_folder_only(file: Path, quick: Any, tmp_path: Path) -> None:
    wanted = run(file, quick, out=tmp_path / "a", command="the first command")
    with pytest.raises(KeyboardInterrupt):
        run(file, quick, out=tmp_path / "b", progress=StopAt(3), command="the first command")
    heard = StopAt(None)
    found = resume(tmp_path / "b", progress=heard)
    assert heard.seen[0] == 4
    assert_same_result(found, wanted)
    assert found.record["command"] == "the first command"
    assert_same_result(resume(tmp_path / "b"), wanted)
    with pytest.raises(ReadError, match=r"no record\.json"):
        resume(tmp_path / "nothing")


def test_another_recipe_or_input_is_not_mixed_in(file: Path, scan: Scan, quick: Any, tmp_path: Path) -> None:
    out = tmp_path / "o"
    interrupt(file, quick, out, 4)
    before = record_of(out)
    other = quick | {"factorize": quick["factorize"] | {"components": 2}}
    with pytest.raises(RunExistsError, match=r"another recipe.*--force"):
        run(file, other, out=out)
    with pytest.raises(RunExistsError, match="another input"):
        run(Scan.from_array(scan.data + 1, scan_step=(1.5, "nm")), quick, out=out)
    assert record_of(out) == before
    heard = StopAt(None)
    assert run(file, other, out=out, force=True, progress=heard).maps.shape[0] == 2
    assert heard.seen[0] == 1


def test_without_a_checkpoint_it_starts_again(file: Path, quick: Any, tmp_path: Path) -> None:
    wanted = run(file, quick, out=tmp_path / "a")
    interrupt(file, quick, tmp_path / "b", 4)
    (tmp_path / "b" / "checkpoint.npz").write_bytes(b"torn")
    heard = StopAt(None)
    assert_same_result(run(file, quick, out=tmp_path / "b", progress=heard), wanted)
    assert heard.seen[0] == 1
    assert any("checkpoint.npz" in note and "done again" in note for note in heard.notes)


def test_a_checkpoint_of_an_earlier_version_is_not_mistaken(file: Path, quick: Any, tmp_path: Path) -> None:
    wanted = run(file, quick, out=tmp_path / "a")
    interrupt(file, quick, tmp_path / "b", 4)
    place = tmp_path / "b" / "checkpoint.npz"
    with np.load(place) as archive:
        values = {key: archive[key] for key in archive.files if key not in ("trail", "by_maps")}
    np.savez(place, **values)
    heard = StopAt(None)
    assert_same_result(run(file, quick, out=tmp_path / "b", progress=heard), wanted)
    assert heard.seen[0] == 1
    assert any("another version" in note for note in heard.notes)


def test_a_crash_while_sweeping_keeps_the_last_sweep(file: Path, quick: Any, tmp_path: Path) -> None:
    class Clumsy(StopAt):
        def sweep(self, sweep: int, limit: int, objective: float) -> None:
            if sweep == 7:
                raise MemoryError("too large")

    with pytest.raises(MemoryError):
        run(file, quick, out=tmp_path / "b", progress=Clumsy(None))
    assert record_of(tmp_path / "b")["error"] == "MemoryError: too large"
    heard = StopAt(None)
    found = run(file, quick, out=tmp_path / "b", progress=heard)
    assert heard.seen[0] == 8
    assert_same_result(found, run(file, quick, out=tmp_path / "a"))


def test_a_run_that_failed_with_nothing_in_hand_is_no_hindrance(
    file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(stages, "prepare", lambda *_: (_ for _ in ()).throw(ArithmeticError("no luck")))
        with pytest.raises(ArithmeticError):
            run(file, quick, out=tmp_path / "o")
    assert record_of(tmp_path / "o")["status"] == "failed"
    quick["factorize"]["components"] = 2
    assert run(file, quick, out=tmp_path / "o").maps.shape[0] == 2


@pytest.mark.parametrize(
    ("module", "stage"),
    [(answers, "flag"), (answers, "interpret"), (answers, "name_phases"), (stages, "report")],
)
def test_a_late_crash_keeps_the_factors(
    module: Any, stage: str, file: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = run(file, quick, out=tmp_path / "a")
    with monkeypatch.context() as broken:
        broken.setattr(module, stage, lambda *_: (_ for _ in ()).throw(ArithmeticError("no luck")))
        with pytest.raises(ArithmeticError):
            run(file, quick, out=tmp_path / "b")
    half = load(tmp_path / "b")
    np.testing.assert_array_equal(half.maps, wanted.maps)
    assert half.record["status"] == "failed"
    assert half.record["error"] == "ArithmeticError: no luck"
    heard = StopAt(None)
    found = run(file, quick, out=tmp_path / "b", progress=heard)
    assert heard.seen == []
    assert any("its factors are there" in note for note in heard.notes)
    assert_same_result(found, wanted)
    assert [row.label for row in found.card.rows] == [row.label for row in wanted.card.rows]
    assert set(found.extras) == set(wanted.extras)
    for key in ("steps", "input", "versions"):
        assert record_of(tmp_path / "b")[key] == record_of(tmp_path / "a")[key]
    assert record_of(tmp_path / "b")["status"] == "finished"


@pytest.mark.parametrize(
    ("kind", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")
def test_a_signal_to_the_command_leaves_a_run_that_goes_on(
    kind: signal.Signals, code: int, file: Path, quick: Any, tmp_path: Path
) -> None:
    quick["factorize"]["max_iter"] = 400
    (tmp_path / "r.yaml").write_text(json.dumps(quick))
    out = tmp_path / "o"
    command = [
        sys.executable,
        "-m",
        "unmixel",
        "run",
        str(file),
        "--recipe",
        str(tmp_path / "r.yaml"),
        "--out",
        str(out),
    ]
    child = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # a test run in the background ignores Ctrl-C, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    while child.stderr.readline() not in ("factorize\n", ""):
        pass
    time.sleep(0.4)
    child.send_signal(kind)
    _, told = child.communicate(timeout=60)
    if child.returncode == 0:
        pytest.skip("the machine was so fast that the run had ended")
    # where Ctrl-C hits code that an import executes, Python ends itself by the signal: a shell calls both 130
    assert child.returncode in (code, -kind if kind is signal.SIGINT else code), told
    assert "the same command goes on" in told
    assert "Traceback" not in told
    record = record_of(out)
    assert record["status"] == "interrupted"
    done = record.get("checkpoint_sweep", 0)
    heard = StopAt(None)
    found = run(file, tmp_path / "r.yaml", out=out, progress=heard)
    assert heard.seen == list(range(done + 1, 401))
    assert_same_result(found, run(file, quick, out=tmp_path / "whole"))
