"""What the page says is what was run, no more."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from fake_result import make_result

from unmixel.dataset.bibliography import PAPERS
from unmixel.dataset.record import is_simulated
from unmixel.dataset.results import Residual
from unmixel.report.methods import methods
from unmixel.report.recorded import Named, again, command, gain, input_name, show, steps
from unmixel.report.references import Citations
from unmixel.report.sections import recipe_text
from unmixel.report.words import headline, is_complete, percent, residual_words


@pytest.fixture(scope="module")
def result():
    return make_result(k=3, scan=(20, 24), detector=(31, 26))


def with_settings(result, **settings):
    return replace(result, factors=replace(result.factors, settings=settings))


def test_the_headline_is_one_sentence_with_the_results_numbers(result):
    text = headline(result)
    assert text.startswith("3 components in ")
    assert text.count(".") - text.count("0.") >= 1
    assert text.endswith(".")


def test_the_headline_without_groups_or_particles(result):
    assert headline(replace(result, groups=None, particles=None)) == "3 components."


def test_citations_are_numbered_in_the_order_of_the_text(result):
    written = methods(result)
    seen = [int(n) for group in re.findall(r"\[([\d, ]+)\]", written.text) for n in group.split(",")]
    first = list(dict.fromkeys(seen))
    assert sorted(first) == list(range(1, len(written.references) + 1))


def test_methods_cite_poisson_weights_only_where_they_were_used(result):
    keenan = PAPERS["keenan2004"]
    assert keenan in methods(result).references
    bare = replace(result, record={**result.record, "steps": result.record["steps"][:2]})
    assert keenan not in methods(bare).references


@pytest.mark.parametrize(
    ("name", "paper"), [("gradient", "beck2009"), ("hals", "cichocki2009"), ("newton", None)]
)
def test_methods_name_the_solver_that_ran(result, name, paper):
    written = methods(with_settings(result, solver={"name": name}))
    papers = {key for key in ("beck2009", "cichocki2009") if PAPERS[key] in written.references}
    assert papers == ({paper} if paper else set())
    assert paper or "'newton'" in written.text


def test_methods_tell_each_constraint_and_no_other(result):
    said = methods(result).text
    assert "1.9 nm full width at half maximum" in said
    assert "shape of the direct beam" in said
    assert "L1 penalty" in said
    said = methods(
        with_settings(result, constraints=[{"name": "nonnegative"}, {"name": "mine", "a": 1}])
    ).text
    assert "direct beam:" not in said
    assert "L1 penalty" not in said
    assert "The constraint 'mine' was applied (a 1)." in said
    said = methods(with_settings(result, constraints=[{"smooth": {"weight": 0.5}}, "pinned", "sparse"])).text
    assert "smooths the maps (weight 0.5)" in said
    assert "held fixed" in said
    assert "weight 2" not in said


def test_methods_of_spectra_do_not_speak_of_rotation():
    spectra = make_result(k=3, scan=(20, 24), detector=(60,), pattern_unit=(0.5, "eV"))
    text = methods(spectra).text
    assert "rotation" not in text
    assert "60 channels, step 0.5 eV" in text
    assert PAPERS["uesugi2021"] not in methods(spectra).references


def test_methods_of_a_phantom_call_it_simulated(result):
    phantom = replace(result, record={**result.record, "input": {"path": "demo:glass"}})
    assert methods(phantom).text.startswith("Simulated data with known truth (demo:glass)")
    assert is_simulated({"input": {"format": "phantom"}})
    assert not is_simulated({"input": "?"})


def test_methods_of_an_empty_record_guess_nothing(result):
    empty = replace(with_settings(result), record={}, groups=None, particles=None)
    text = methods(empty).text
    assert "Nothing else was done" not in text
    assert "unmixel" in text
    assert "solver" not in text


def test_chi_square_is_read_against_the_gain(result):
    residual = Residual(np.full((4, 4), 30.0), np.full((5, 5), 30.0), 30.0, 0.1)
    used = np.ones((5, 5), bool)
    assert "Far more is left" in " ".join(residual_words(residual, used))
    told = " ".join(residual_words(residual, used, expected=29.0))
    assert "gain of 29" in told
    assert "leave what noise leaves" in told
    weighted = {"steps": [{"name": "poisson_weights", "values": {"gain": 29.0}}]}
    assert gain(replace(result, record=weighted)) == 29.0
    assert (
        gain(replace(result, record={"steps": [{"name": "poisson_weights", "values": {"gain": -1}}]})) == 1.0
    )


@pytest.mark.parametrize(
    ("chi2", "word"), [(0.5, "Below that"), (1.0, "leave what noise"), (2.0, "Somewhat"), (9.0, "Far")]
)
def test_each_range_of_chi_square_has_its_reading(chi2, word):
    residual = Residual(np.full((4, 4), chi2), np.full(6, chi2), chi2, 0.1)
    assert word in " ".join(residual_words(residual, np.ones(6, bool)))


def test_a_residual_that_is_no_number_is_said():
    residual = Residual(np.zeros((2, 2)), np.zeros(2), float("nan"), 0.1)
    assert residual_words(residual, np.ones(2, bool)) == [
        "Chi-square is not a number; the residual cannot be read."
    ]


def test_where_the_residual_is_worst_is_counted():
    chi2 = np.ones((10, 10))
    chi2[:2, :3] = 5
    told = " ".join(residual_words(Residual(chi2, np.ones(4), 1.1, 0.1), np.ones(4, bool), noun="channel"))
    assert "6 positions (6.0 %)" in told
    assert "No channel stands above" in told


def test_commands_are_shown_as_they_were_and_quoted_to_repeat(result):
    spaced = replace(result, record={"command": ["unmixel", "run", "a b.mib"], "input": {"path": "a b.mib"}})
    assert command(spaced) == "unmixel run 'a b.mib'"
    shell, python = again(spaced)
    assert shell == "unmixel run 'a b.mib' --recipe recipe.yaml --out again.run"
    assert "'a b.mib'" in python
    memory = replace(result, record={"input": {"path": "memory"}})
    assert again(memory)[0] == ""
    assert "unmixel.run(scan" in again(memory)[1]
    cut = replace(result, record={"input": {"path": "a.mib"}, "command": "unmixel.run(scan)"})
    assert again(cut)[0] == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [("/x/y/a.mib", "a.mib"), ("C:\\x\\a.mib", "a.mib"), ("memory", ""), ("demo:a/b?c", "demo:a/b?c")],
)
def test_names_of_inputs_are_short(result, path, name):
    assert input_name(replace(result, record={"input": {"path": path}})) == name


def test_records_of_any_form_are_read_with_patience(result):
    odd = replace(result, record={"steps": [None, {"name": "bin"}], "input": 3})
    assert [step.name for step in steps(odd)] == ["unnamed step", "bin"]
    assert steps(replace(result, record={"steps": "all"})) is None
    assert Named.of(7) == Named()
    assert Named.of({"a": 1, "b": 2}) == Named()
    assert not is_complete({"status": "interrupted"})
    assert is_complete({})


def test_values_are_shown_short():
    assert show(list(range(99))) == "99 values"
    assert show({"a": [1, None]}) == "{a: [1, none]}"


def test_recipes_of_anything_become_yaml():
    yaml = pytest.importorskip("yaml")
    shared = {"name": "mask"}
    text = recipe_text({"steps": (shared, shared), "array": np.ones(2), "path": object})
    loaded = yaml.safe_load(text)
    assert loaded["steps"] == [{"name": "mask"}, {"name": "mask"}]
    assert isinstance(loaded["array"], str)


def test_citations_keep_their_numbers():
    cited = Citations()
    assert [cited("beck2009"), cited("lee1999", "beck2009"), cited("lee1999")] == ["[1]", "[1, 2]", "[2]"]


@pytest.mark.parametrize(
    ("share", "text"), [(0.9999, "99.9 %"), (1.0, "100 %"), (0.0, "0 %"), (float("nan"), "unknown share")]
)
def test_shares_are_never_rounded_to_all(share, text):
    assert percent(share) == text


def test_methods_tell_runs_and_papers(result):
    told = [
        {"step": "consensus", "before": 21, "after": 23, "runs": 2},
        {"step": "prune", "before": 23, "after": 21},
    ]
    written = methods(with_settings(result, refinements=told))
    assert "averaged over the runs (2 runs, 21 became 23) [" in written.text
    assert "had seen were left out (23 became 21)." in written.text
    assert PAPERS["neufeld2024"] in written.references


@pytest.mark.parametrize(("judged", "said"), [({"judged": 8}, True), ({}, False)])
def test_methods_tell_which_regions_were_dropped_and_only_where_electrons_told(result, judged, said):
    told = [{"step": "split", "before": 3, "after": 6, "regions_dropped": 0, **judged}]
    written = methods(with_settings(result, refinements=told))
    assert "kept there (3 became 6)" in written.text
    assert ("without regions that do not show in electrons that were set aside" in written.text) is said
