"""The recipe: YAML and models are the same thing, and wrong entries are told in the user's words."""

from __future__ import annotations

import inspect
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import RecipeError
from unmixel.factorize.model import NMF
from unmixel.pipeline.recipe import Factorize, Recipe
from unmixel.pipeline.reference import described, fields, listing, page, parameters, plugins, summary
from unmixel.pipeline.resolve import SHIPPED, shipped
from unmixel.pipeline.written import plain, write
from unmixel.pipeline.yamlfile import parse, value_of

DOCS = Path(__file__).parents[3] / "docs" / "reference"

words = st.text(string.ascii_letters + string.digits + " :#-'\"{}[]é", min_size=1, max_size=12)
reads = st.fixed_dictionaries(
    {},
    optional={
        "scan_shape": st.none() | st.lists(st.integers(1, 10**6), min_size=1, max_size=3),
        "drop_flyback": st.booleans(),
        "reader": st.none() | words,
        "dataset": st.none() | words,
        "voltage_kV": st.none() | st.floats(1, 3000),
        "convergence_mrad": st.none() | st.floats(1e-3, 200),
    },
)
constraints = st.lists(
    st.one_of(
        st.just({"nonnegative": {}}),
        st.builds(lambda w: {"resolution": {"fwhm": w}}, st.floats(0.1, 50) | st.just("auto")),
        st.builds(
            lambda w, s: {"sparse": {"weight": w, "side": s}},
            st.floats(0, 99),
            st.sampled_from(["maps", "patterns"]),
        ),
        st.builds(lambda w: {"spot_shape": {"kernel": w}}, st.floats(0.1, 9) | st.just("measured")),
    ),
    max_size=4,
)
factorizes = st.fixed_dictionaries(
    {},
    optional={
        "components": st.integers(1, 500),
        "constraints": constraints,
        "solver": st.sampled_from(["gradient", "hals"]),
        "max_iter": st.integers(1, 10**6),
        "sketch_sweeps": st.integers(0, 10**6),
        "tol": st.floats(0, 1),
        "seed": st.integers(0, 2**32 - 1),
        "memory_budget_MB": st.floats(1, 1e9),
    },
)
recipes = st.fixed_dictionaries({}, optional={"read": reads, "factorize": factorizes}).map(Recipe.from_dict)


@settings(max_examples=25, deadline=None)
@given(recipe=recipes)
def test_yaml_gives_back_the_recipe(recipe: Recipe) -> None:
    again = Recipe.from_dict(parse(write(recipe, header=("any", "words"))))
    assert again == recipe
    assert again.digest() == recipe.digest()
    assert Recipe.from_dict(plain(recipe)) == recipe


@settings(max_examples=25, deadline=None)
@given(first=recipes, second=recipes)
def test_equal_digests_mean_equal_recipes(first: Recipe, second: Recipe) -> None:
    assert (first.digest() == second.digest()) == (first == second)


@pytest.mark.parametrize("name", sorted(SHIPPED.values()))
def test_shipped_recipes_are_valid_and_lose_no_data(name: str) -> None:
    recipe = Recipe.from_dict(shipped(name))
    steps = [entry.name for entry in recipe.prepare]
    assert not {"bin", "crop"} & set(steps)
    assert recipe.factorize.components == 12
    assert Recipe.from_dict(parse(write(recipe))) == recipe


def test_the_shipped_diffraction_recipe_uses_the_physics() -> None:
    recipe = Recipe.from_dict(shipped("diffraction"))
    assert [entry.name for entry in recipe.prepare] == [
        "center",
        "measure_beam",
        "mask_beam",
        "poisson_weights",
    ]
    named = {entry.name: entry.parameters for entry in recipe.factorize.constraints}
    assert named == {
        "nonnegative": {},
        "resolution": {"fwhm": "auto"},
        "spot_shape": {"kernel": "measured"},
        "sparse": {"weight": 2.0},
    }
    assert recipe.interpret.measure == {}


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"factorise": {}}, ["no 'factorise'", "Did you mean 'factorize'?", "read, prepare"]),
        ({"factorize": {"componets": 3}}, ["no 'factorize.componets'", "Did you mean 'components'?"]),
        ({"factorize": {"components": 0}}, ["factorize.components", "greater than or equal to 1"]),
        ({"factorize": {"components": "many"}}, ["factorize.components", "integer"]),
        ({"factorize": {"components": True}}, ["factorize.components", "integer"]),
        ({"factorize": {"components": 2.5}}, ["factorize.components"]),
        ({"factorize": {"tol": -1}}, ["factorize.tol"]),
        ({"factorize": {"tol": float("nan")}}, ["factorize.tol"]),
        ({"factorize": {"solver": "gradent"}}, ["factorize.solver", "Did you mean 'gradient'?"]),
        ({"factorize": {"engine": "numpi"}}, ["Did you mean 'numpy'?"]),
        ({"factorize": {"start": "svdd"}}, ["Did you mean 'svd'?"]),
        (
            {"factorize": {"constraints": [{"sparsse": {}}]}},
            ["constraints.0", "Did you mean 'sparse'?", "Installed"],
        ),
        (
            {"factorize": {"constraints": [{"sparse": {"wieght": 1}}]}},
            ["no parameter 'wieght'", "mean 'weight'?"],
        ),
        ({"factorize": {"constraints": [{"sparse": {"weight": -1}}]}}, ["constraints.0", "weight >= 0"]),
        ({"factorize": {"constraints": [{"resolution": {}}]}}, ["resolution needs fwhm"]),
        ({"factorize": {"constraints": [{"a": {}, "b": {}}]}}, ["one name with its parameters"]),
        ({"factorize": {"constraints": "sparse"}}, ["factorize.constraints"]),
        ({"prepare": [{"centre": {}}]}, ["prepare.0", "Did you mean 'center'?"]),
        ({"prepare": [{"center": {"when": "sunny"}}]}, ["when must be one of counts"]),
        ({"interpret": {"group": {"rotatoin": {}}}}, ["interpret.group", "Did you mean 'rotation'?"]),
        ({"read": {"scan_shape": "ten"}}, ["read.scan_shape"]),
        ({"read": {"scan_shape": [0, 4]}}, ["read.scan_shape"]),
        ({"read": {"voltage_kV": 0}}, ["read.voltage_kV"]),
        ({"version": 2}, ["version"]),
        ({"extends": "none"}, ["unmixel.run"]),
    ],
)
def test_wrong_entries_are_refused_with_what_to_do(data: dict[str, Any], wanted: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(data)
    message = str(caught.value)
    for text in wanted:
        assert text in message
    assert "pydantic" not in message
    assert "\n" not in message


def test_every_wrong_entry_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict({"factorize": {"componets": 3, "tol": -1}, "raed": {}})
    for text in ("componets", "tol", "raed"):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("-2.5e+1", -25.0),
        ("1.5", 1.5),
        ("12", 12),
        ("auto", "auto"),
        ("e5", "e5"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: Any) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("read: {}\nread: {}", "'read' is there twice"),
        ("factorize:\n  tol: 1\n  tol: 2", "'tol' is there twice"),
        ("- a\n- b", "expected sections"),
        ("a: [1", "no YAML"),
        ("a: !!python/object/apply:os.getcwd []", "no YAML"),
    ],
)
def test_text_that_is_no_recipe(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse(text)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(tmp_path / "missing.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(tmp_path / "binary.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert Recipe.load(tmp_path / "empty.yaml") == Recipe()


def test_arrays_come_from_files_beside_the_recipe(tmp_path: Path) -> None:
    known = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "known.npy", known)
    (tmp_path / "r.yaml").write_text("factorize:\n  constraints:\n    - pinned: {values: known.npy}\n")
    recipe = Recipe.load(tmp_path / "r.yaml")
    np.testing.assert_array_equal(recipe.factorize.constraints[0].parameters["values"], known)
    address = plain(recipe)["factorize"]["constraints"][0]["pinned"]["values"]
    assert address == "result.nxs#entry/arrays/constraints.0.pinned.values"
    np.save(tmp_path / "known.npy", known + 1)
    assert Recipe.load(tmp_path / "r.yaml").digest() != recipe.digest()
    (tmp_path / "known.npy").unlink()
    with pytest.raises(RecipeError, match=r"known\.npy"):
        Recipe.load(tmp_path / "r.yaml")


def test_every_field_says_what_it_is() -> None:
    for key, field in fields().items():
        extra: Any = field.json_schema_extra
        for part in ("meaning", "range", "why"):
            assert extra["words"][part], f"{key}.{part}"
        assert extra["words"]["meaning"] in described(key)
    assert len(listing()) == len(fields()) - 1


def test_every_parameter_of_a_plugin_says_what_it_is() -> None:
    told = {f"{key}.{one.name}": one for key, plugin in plugins() for one in parameters(plugin)}
    assert len(told) > 100
    assert [key for key, one in told.items() if not (one.meaning and one.valid)] == []
    assert [key for key, plugin in plugins() if not summary(plugin)] == []
    assert told["prepare.bin.pattern"].meaning == told["prepare.bin.scan"].meaning  # told in one line
    assert told["factorize.constraints.resolution.fwhm"].default == ""  # has to be given


def test_parameters_that_a_docstring_does_not_speak_of_have_no_words() -> None:
    class Bare:
        def __init__(self, width: int = 3, **rest: int) -> None: ...

    assert [(one.name, one.meaning, one.default) for one in parameters(Bare)] == [("width", "", "3")]


def test_written_recipes_explain_themselves() -> None:
    text = write(Recipe())
    told = " ".join(
        line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#")
    )
    for key in fields():
        assert described(key) in told, key


def test_the_reference_page_is_the_models() -> None:
    """Made by  python -c "import unmixel.pipeline.reference as r; print(r.page())"  when this fails."""
    assert (DOCS / "recipe.md").read_text(encoding="utf-8") == page() + "\n"


def test_bare_defaults_are_those_of_the_estimator() -> None:
    parameters = inspect.signature(NMF).parameters
    names = {"components": "n_components", "seed": "random_state"}
    same = ("components", "loss", "solver", "start", "max_iter", "sketch_sweeps", "tol", "seed", "engine")
    for key in same:
        assert getattr(Factorize(), key) == parameters[names.get(key, key)].default, key
    assert Factorize().memory_budget_MB * 1e6 == parameters["memory_budget"].default
