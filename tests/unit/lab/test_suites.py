"""Suites are data: shipped ones can be drawn, the user's are kept with their truth, and wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError, RunExistsError
from unmixel.lab.suites import Case, Suite, Suites, shipped
from unmixel.testing.phantoms import glass

KEYS = {"scan": (7, 8), "detector": (14, 12), "precipitates": 1, "dose": 500}


def test_shipped_suites_have_enough_pairs_and_recipes_that_are_whole() -> None:
    from unmixel.pipeline.recipe import Recipe

    assert shipped() == ("quick", "full")
    for name in shipped():
        suite = Suites(Path("nowhere")).get(name)
        assert len(suite.cases) * len(suite.seeds) >= 24, (
            "fewer do not show an effect of one standard deviation"
        )
        assert suite.line == "glass"
        assert Recipe.from_dict(suite.recipe).factorize.components > 1
        assert all(case.is_phantom for case in suite.cases)


def test_a_phantom_is_another_one_for_each_seed() -> None:
    case = Case("small", "demo:glass?scan=7x8&detector=14x12&precipitates=1")
    (one, truth), (other, _) = case.draw(1), case.draw(2)
    assert one.data.shape == (7, 8, 14, 12)
    assert truth is not None
    assert not np.array_equal(one.data, other.data)
    assert np.array_equal(one.data, case.draw(1)[0].data)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    scan, truth = glass(**KEYS)
    np.save(tmp_path / "mine.npy", scan.data)
    np.savez(tmp_path / "truth.npz", maps=truth.maps, patterns=truth.patterns)
    np.savez(tmp_path / "whole.npz", **{f"truth_{name}": value for name, value in truth.arrays().items()})
    (tmp_path / "folder").mkdir()
    for name in ("maps", "patterns"):
        np.save(tmp_path / "folder" / f"{name}.npy", 3 * getattr(truth, name))
    np.savez(tmp_path / "wrong.npz", maps=truth.maps[:, 1:], patterns=truth.patterns)
    np.savez(tmp_path / "half.npz", maps=truth.maps)
    return {path.stem: str(path) for path in tmp_path.iterdir()}


@pytest.mark.parametrize("form", ["truth", "whole", "folder"])
def test_a_scan_with_truth_is_kept_and_drawn_again(form: str, files: dict[str, str], tmp_path: Path) -> None:
    suites = Suites(tmp_path / "lab")
    made = suites.add("mine", files["mine"], truth=files[form])
    assert made.judged[0] == "truth_error"
    again = Suites(tmp_path / "lab").get("mine")
    assert again == made
    assert Suites(tmp_path / "lab").names() == ("quick", "full", "mine")
    _, truth = again.cases[0].draw(3)
    assert truth is not None
    known = glass(**KEYS)[1]
    scale = 9 if form == "folder" else 1
    np.testing.assert_allclose(truth.expected, scale * known.expected)
    np.testing.assert_allclose(truth.patterns.reshape(truth.n_components, -1).sum(axis=1), 1)
    assert (len(truth.crystals) == 1) == (form == "whole")
    suites.remove("mine")
    assert suites.names() == ("quick", "full")
    assert Path(files["mine"]).is_file()


def test_what_does_not_fit_is_refused_and_nothing_is_written(files: dict[str, str], tmp_path: Path) -> None:
    suites = Suites(tmp_path / "lab")
    with pytest.raises(InputError, match=r"finite numbers >= 0 of shape \(k, 7, 8\)"):
        suites.add("mine", files["mine"], truth=files["wrong"])
    with pytest.raises(InputError, match="expected an array 'patterns'"):
        suites.add("mine", files["mine"], truth=files["half"])
    with pytest.raises(InputError, match="not there"):
        suites.add("mine", str(tmp_path / "none.npy"))
    with pytest.raises(InputError, match="letters"):
        suites.add("my suite", files["mine"])
    with pytest.raises(RunExistsError, match="ships with unmixel"):
        suites.add("quick", files["mine"])
    with pytest.raises(InputError, match="one of your own"):
        suites.remove("quick")
    assert not (tmp_path / "lab").exists()


def test_a_scan_that_changed_is_noticed(files: dict[str, str], tmp_path: Path) -> None:
    suites = Suites(tmp_path / "lab")
    suites.add("mine", files["mine"])
    assert suites.get("mine").judged == ("held_out",)
    with pytest.raises(RunExistsError, match="has a case 'mine' already"):
        suites.add("mine", files["mine"])
    with pytest.raises(InputError, match="suites of their own"):
        suites.add("mine", "demo:glass?scan=7x8&detector=14x12&precipitates=1")
    np.save(files["mine"], np.ones((2, 2, 3, 3)))
    with pytest.raises(InputError, match="another content under its name"):
        suites.get("mine").cases[0].draw(1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cases": []}, "cases: a mapping"),
        ({"cases": {"a": {"scans": "x"}}}, "scan, and if wanted truth"),
        ({"seeds": [-1]}, "whole numbers >= 0"),
        ({"judged": ["beauty"]}, "judged: a list of metrics"),
        ({"judge": []}, "some of about, cases"),
    ],
)
def test_a_suite_that_is_wrong_says_where(change: dict, words: str) -> None:
    good = {"cases": {"a": {"scan": "demo:glass"}}, "seeds": [1], "judged": ["found"]}
    assert Suite.of("s", good).data == {"a": "demo:glass"}
    with pytest.raises(InputError, match=words):
        Suite.of("s", {**good, **change})
