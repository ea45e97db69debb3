"""An idea is found in its file, or what is wrong with the file is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from ideas import FRAME, PROX_LINE, frame, step

from unmixel.core import registry
from unmixel.core.errors import IdeaError, InputError, PluginError
from unmixel.lab.idea import Idea, load
from unmixel.lab.kinds import KINDS, kind_of, with_idea
from unmixel.lab.laws import broken_laws
from unmixel.lab.words import explained


def test_kind_and_name_are_told_from_the_class() -> None:
    loaded = load(frame())
    assert (loaded.kind.name, loaded.name, loaded.plugin.__name__) == ("constraint", "rim_of_test", "Frame")
    assert loaded.build().width == 1
    assert load(frame(width=2)).build().width == 2
    assert load(step("return self.done(scan, scan.data)")).kind.name == "step"


def test_a_file_that_is_no_python_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "idea.py"
    path.write_text("import numpy\n\ndef broken(:\n    pass\n")
    with pytest.raises(IdeaError, match=r"idea\.py, line 3: this is not Python .*\n    def broken\(:"):
        Idea.read(path)
    path.write_bytes(b"a = 1\x00")
    with pytest.raises(IdeaError, match="not Python"):
        Idea.read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        Idea.read(path)
    with pytest.raises(InputError, match="which is not there"):
        Idea.read(tmp_path / "none.py")


def test_several_plug_ins_are_listed_and_one_can_be_declared() -> None:
    two = FRAME + "\n\nclass Other:\n    name = 'other'\n\n    def apply(self, scan):\n        return scan\n"
    with pytest.raises(
        IdeaError, match=r"there are 2: Frame \(line 8, constraint\), Other \(line .*, step\)"
    ):
        load(Idea("two.py", two))
    declared = two.replace("name = 'other'", "name = 'other'\n    idea = 'step'")
    assert load(Idea("two.py", declared)).kind.name == "step"
    assert load(Idea("two.py", two, "Frame")).kind.name == "constraint"


def test_no_plug_in_and_no_name_are_said() -> None:
    with pytest.raises(IdeaError, match=r"no class has the methods of a plug-in\. Classes in it: Nothing"):
        load(Idea("none.py", "class Nothing:\n    pass\n"))
    with pytest.raises(IdeaError, match="the class Mute has no name"):
        load(Idea("mute.py", "class Mute:\n    def apply(self, scan):\n        return scan\n"))
    both = "class Both:\n    name = 'both'\n    def apply(self, s): ...\n    def bind(self, c): ...\n"
    with pytest.raises(IdeaError, match="Both may be a constraint or step"):
        load(Idea("both.py", both))


def test_a_parameter_without_default_is_named() -> None:
    bare = load(Idea("bare.py", FRAME.replace("width: int = 1", "width: int")))
    with pytest.raises(IdeaError, match=r"bare\.py, line 8: Frame needs width"):
        bare.build()


def test_errors_are_told_with_the_users_own_line() -> None:
    loaded = load(frame("return z * self.inner"))
    with registry.lent("constraints", loaded.plugin):
        broken = broken_laws(loaded)
    assert broken
    assert f"frame.py, line {PROX_LINE}, in prox: AttributeError" in broken[0].why
    assert broken[0].why.endswith("\n    return z * self.inner")
    with pytest.raises(ZeroDivisionError) as caught:
        load(Idea("top.py", "import numpy as np\n1 / 0\n"))
    assert (
        explained(caught.value, ["top.py"])
        == "top.py, line 2: ZeroDivisionError: division by zero\n    1 / 0"
    )


@pytest.mark.parametrize(
    ("body", "law", "words"),
    [
        ("return z * float('nan')", "finite", "prox gave 1131 of 1131 values that are NaN or infinite"),
        ("return z[:1]", "keeps_input_dtype_and_shape", "prox: shape (1, 13, 29), not (3, 13, 29)"),
        ("return 0 * z - 1.0", "proximal", "infeasible by 1"),
        ("z *= 0.5; return z", "keeps_input_dtype_and_shape", "prox changed its input"),
    ],
)
def test_liars_are_caught_by_laws(body: str, law: str, words: str) -> None:
    loaded = load(frame(body))
    with registry.lent("constraints", loaded.plugin):
        broken = {one.law: one for one in broken_laws(loaded)}
    assert words in broken[law].why
    assert broken[law].case == "an image of 13 x 29"


def test_a_good_idea_keeps_its_laws() -> None:
    loaded = load(frame())
    with registry.lent("constraints", loaded.plugin):
        assert broken_laws(loaded) == ()


def test_a_lent_class_shadows_nothing_and_is_gone_afterwards() -> None:
    plugin = load(frame()).plugin
    with (
        registry.lent("constraints", plugin),
        pytest.raises(PluginError, match="already"),
        registry.lent("constraints", plugin),
    ):
        pass
    with pytest.raises(PluginError, match="No plug-in 'rim_of_test'"):
        registry.load("constraints", "rim_of_test")
    sparse = type("Sparse", (), {"name": "sparse"})
    with pytest.raises(PluginError, match="Give yours another name"), registry.lent("constraints", sparse):
        pass


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_an_idea_enters_a_recipe_and_leaves_the_old_one_as_it_was(kind) -> None:
    from unmixel.pipeline.recipe import Recipe
    from unmixel.pipeline.resolve import shipped

    before = Recipe.from_dict(shipped("diffraction")).to_dict()
    after = with_idea(before, kind, "mine", {"weight": 1.0})
    assert before == Recipe.from_dict(shipped("diffraction")).to_dict()
    assert ("mine" in repr(after)) == (kind.name not in ("identifier", "score"))


def test_kinds_have_other_words_and_near_ones_are_named() -> None:
    assert kind_of("distance").name == kind_of("grouping").name == "clusterer"
    with pytest.raises(InputError, match="Did you mean 'constraint'"):
        kind_of("constrain")
