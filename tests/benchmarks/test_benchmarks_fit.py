"""One fit, measured: the error, the memory, the refusals, and a whole comparison on a tiny table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import factorise
import inputs
import numpy as np
import pytest
from child import ChildFailedError
from factorise import AbsentError
from fit_once import PeakMemory, check, relative_error
from peers import ALL, OURS, PEERS, Factors


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    maps, patterns = rng.random((29, 3)), rng.random((3, 31))
    return rng.poisson(20 * maps @ patterns).astype(np.uint16), 20 * maps, patterns


@pytest.mark.parametrize("block_mb", [1e-9, 1e-3, 32.0])
def test_error_is_that_of_the_definition_in_any_blocks(block_mb: float) -> None:
    counts, maps, patterns = problem()
    true = np.linalg.norm(counts - maps @ patterns) / np.linalg.norm(counts)
    assert relative_error(counts, maps, patterns, block_mb=block_mb) == pytest.approx(true, rel=1e-12)


def test_error_sees_what_an_expanded_square_would_lose() -> None:
    maps, patterns = np.full((7, 1), 60_000.0), np.ones((1, 9))
    counts = np.full((7, 9), 60_000, np.uint16)
    assert relative_error(counts, maps, patterns) == 0
    assert relative_error(counts, maps + 1e-3, patterns) == pytest.approx(1e-3 / 6e4, rel=1e-6)


def test_memory_that_was_given_back_is_still_seen() -> None:
    meter = PeakMemory()
    held = np.ones(10_000_000)
    meter.start()
    assert meter.above() < 20
    more = np.ones(10_000_000)
    del more
    assert 75 < meter.above() < 100
    assert held.size


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((29, 2)), "shapes"),
        (np.full((29, 3), np.nan), "finite"),
        (np.full((29, 3), -1e-9), "non-negative"),
    ],
)
def test_what_is_no_answer_is_refused(maps: np.ndarray, message: str) -> None:
    counts, _, patterns = problem()
    with pytest.raises(SystemExit, match=message):
        check(Factors(maps, patterns, None, ""), counts, 3)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")  # it is the peer's own stop
def test_every_peer_in_this_environment_answers() -> None:
    counts, _, _ = problem()
    for name in (OURS, "scikit-learn", "minibatch"):
        found = ALL[name].fit(counts[:, :30], 3)
        check(found, counts[:, :30], 3)
        assert relative_error(counts[:, :30], found.maps, found.patterns) < 0.5, name


def test_sizes_and_peers_fit_each_other() -> None:
    assert all(set(peer.sizes) <= set(inputs.SIZES) for peer in ALL.values())
    assert set(inputs.USUAL) <= set(inputs.SIZES)
    assert OURS not in PEERS


def test_scan_that_is_not_here_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = inputs.Size("mgo", "nowhere/scan.zspy", k=2, runs=1)
    monkeypatch.setitem(factorise.SIZES, "mgo", gone)
    assert factorise.main(["--sizes", "mgo"]) == 0
    assert "not on this machine" in capsys.readouterr().out


def stub(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fit(peer: str, *given: Any, **words: Any) -> dict[str, Any]:
        if peer == "hyperspy":
            raise error
        return {"wall_s": 1.0, "peak_mb": 5.0, "error": 0.1}

    monkeypatch.setattr(factorise, "fit", fit)
    monkeypatch.setattr(factorise, "run", lambda *given: ("", None))


def test_absent_peer_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, AbsentError("No module named 'hyperspy'"))
    assert (
        factorise.main(["--sizes", "tiny", "small", "--peers", "hyperspy", "minibatch", "--runs", "2"]) == 0
    )
    said = capsys.readouterr().out
    assert said.count("not installed") == 1
    assert "minibatch         2" in said


def test_failed_fit_ends_with_status_one_but_not_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, ChildFailedError("fit_once ended with status 1:\nMemoryError"))
    assert factorise.main(["--sizes", "tiny", "--peers", "hyperspy", "scikit-learn"]) == 1
    said = capsys.readouterr().out
    assert "tiny, hyperspy: failed: MemoryError" in said
    assert "scikit-learn      1" in said


@pytest.mark.parametrize(
    "words", [["--runs", "0"], ["--threads", "0"], ["--python", "./no-such-python"], ["--sizes", "huge"]]
)
def test_wrong_words_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        factorise.main(words)
    assert refused.value.code == 2


@pytest.mark.slow
def test_whole_comparison_on_a_tiny_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in factorise.THREADS:  # which the program sets for its children
        monkeypatch.setenv(name, "2")
    out = tmp_path / "out.json"
    words = ["--sizes", "tiny", "--peers", "scikit-learn", "--threads", "1", "--out", str(out)]
    assert factorise.main(words) == 0
    assert "scikit-learn" in capsys.readouterr().out
    (pair,) = json.loads(out.read_text())["pairs"]
    for side in (pair["theirs"], pair["ours"]):
        assert side["shape"] == [64, 144]
        assert side["wall_s"] > 0
        assert 0 < side["error"] < 1
        assert side["versions"]["numpy"] == np.__version__
        assert {pool["num_threads"] for pool in side["blas"] if pool["user_api"] == "blas"} == {1}
    assert pair["ours"]["reported_error"] == pytest.approx(pair["ours"]["error"], rel=1e-5)
