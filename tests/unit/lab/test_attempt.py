"""From a file to a verdict; the truth stays with the judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from ideas import FRAME, step

import unmixel
from unmixel.core.errors import IdeaError, InputError
from unmixel.lab.attempt import try_idea
from unmixel.lab.ledger import Ledger
from unmixel.lab.suites import Suites
from unmixel.testing.phantoms import glass

TINY = {"scan": (12, 13), "detector": (20, 22), "precipitates": 2, "spot": 1.4, "dose": 8000}
RECIPE = {
    "prepare": [{"center": {}}, {"mask_beam": {}}, {"poisson_weights": {}}],
    "factorize": {"components": 3, "constraints": [{"nonnegative": {}}], "max_iter": 5, "sketch_sweeps": 10},
    "interpret": {"group": None},
}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Return a lab with a suite of a phantom and one of a scan with its truth in a file."""
    folder = tmp_path / "lab"
    (folder / "suites").mkdir(parents=True)
    told = {
        "judged": ["truth_error", "found"],
        "seeds": [1, 2],
        "recipe": RECIPE,
        "cases": {
            "plain": {"scan": "demo:glass?scan=12x13&detector=20x22&precipitates=2&spot=1.4&dose=8000"}
        },
    }
    (folder / "suites" / "tiny.yaml").write_text(yaml.safe_dump(told))
    return folder


def written(tmp_path: Path, code: str) -> Path:
    path = tmp_path / "idea.py"
    path.write_text(code)
    return path


@pytest.mark.slow
def test_from_a_file_to_a_verdict_that_the_ledger_keeps(tmp_path: Path, lab: Path) -> None:
    path = written(tmp_path, FRAME)
    tried = try_idea(path, suite="tiny", lab=lab, hypothesis="no light at the rim")
    rows = {row.metric: row for row in tried.verdict.comparisons}
    assert {"truth_error", "found", "false_reports", "error", "chi_square", "seconds", "peak_MB"} <= set(rows)
    assert all(row.n_pairs == 2 for row in rows.values())
    assert rows["peak_MB"].baseline > 50
    trial = Ledger(lab).get(tried.id)
    assert (trial.state, trial.suite, trial.baseline, trial.hypothesis) == (
        "finished", "tiny", "shipped", "no light at the rim",
    )  # fmt: skip
    assert trial.code == FRAME
    assert trial.conclusion == tried.verdict.sentence
    assert len(trial.measured) == 4
    assert {"rim_of_test": {}} in list(trial.recipe["factorize"]["constraints"])
    assert "rim_of_test" in str(tried)
    assert tried._repr_html_().count("<tr>") == 1 + len(rows)


@pytest.mark.slow
def test_a_promoted_idea_is_what_the_next_one_has_to_beat(tmp_path: Path, lab: Path) -> None:
    first = try_idea(written(tmp_path, FRAME), suite="tiny", lab=lab)
    Ledger(lab).promote(first.id)
    second = try_idea(
        written(tmp_path, FRAME.replace("rim_of_test", "other_of_test").replace("Frame", "Other")),
        suite="tiny",
        lab=lab,
    )
    assert second.baseline == first.id
    trial = Ledger(lab).get(second.id)
    assert set(trial.carried) == {"rim_of_test"}
    names = [next(iter(one)) for one in trial.recipe["factorize"]["constraints"]]
    assert names == ["nonnegative", "rim_of_test", "other_of_test"]
    # the same constraint twice changes nothing: equal results, to the last bit
    judged = {row.metric: row for row in second.verdict.comparisons}
    assert judged["truth_error"].effect == 0
    assert second.verdict.word == "no evidence"


@pytest.mark.slow
def test_an_idea_that_always_fails_says_why_and_is_kept_as_failed(tmp_path: Path, lab: Path) -> None:
    code = FRAME.replace(
        "        return z * self.inside\n",
        "        if z.shape[1:] == (20, 22):\n            raise RuntimeError('not here')\n"
        "        return z * self.inside\n",
    )
    with pytest.raises(IdeaError, match=r"idea\.py, line \d+, in prox: RuntimeError: not here"):
        try_idea(written(tmp_path, code), suite="tiny", lab=lab)
    (summary,) = Ledger(lab).find()
    assert summary.state == "failed"


@pytest.mark.slow
def test_a_recipe_that_fails_without_the_idea_is_not_held_against_it(tmp_path: Path, lab: Path) -> None:
    place = lab / "suites" / "tiny.yaml"
    bad = {
        **RECIPE,
        "factorize": {**RECIPE["factorize"], "constraints": [{"spot_shape": {"kernel": "measured"}}]},
    }
    place.write_text(yaml.safe_dump({**yaml.safe_load(place.read_text()), "recipe": bad, "seeds": [1]}))
    with pytest.raises(
        InputError, match=r"fails without the idea, too: .*spot_shape needs the measured beam"
    ):
        try_idea(written(tmp_path, FRAME), suite="tiny", lab=lab)


@pytest.mark.slow
def test_a_class_of_this_file_is_tried_without_a_file(lab: Path) -> None:
    tried = unmixel.try_idea(Halved(width=2), suite="tiny", lab=lab)
    assert (tried.name, tried.kind) == ("halved_of_test", "constraint")
    trial = Ledger(lab).get(tried.id)
    (own,) = [
        one["halved_of_test"] for one in trial.recipe["factorize"]["constraints"] if "halved_of_test" in one
    ]
    assert own == {"width": 2, "side": "patterns"}
    assert "class BoundHalved" in trial.code


@pytest.mark.slow
def test_a_real_scan_without_truth_is_judged_by_counts_that_no_fit_has_seen(
    tmp_path: Path, lab: Path
) -> None:
    scan, _ = glass(**TINY)
    np.save(tmp_path / "mine.npy", scan.data)
    suites = Suites(lab)
    suites.add("mine", str(tmp_path / "mine.npy"))
    place = lab / "suites" / "mine.yaml"
    told = yaml.safe_load(place.read_text())
    place.write_text(yaml.safe_dump({**told, "seeds": [1, 2, 3], "recipe": RECIPE}))
    tried = try_idea(written(tmp_path, FRAME), suite="mine", lab=lab)
    rows = {row.metric: row for row in tried.verdict.comparisons}
    assert tried.verdict.comparisons[0].metric == "held_out"
    assert 0.8 < rows["held_out"].baseline < 1.3
    assert 0 < rows["stability"].baseline <= 1
    assert "truth_error" not in rows


@pytest.mark.slow
def test_a_measured_scan_is_tried_on_told_of_as_it_goes_and_kept(tmp_path: Path, lab: Path) -> None:
    """MgO cubes filmed by a camera: grey levels that are cut off below and saturated above, no truth."""
    from unmixel.lab.compare import Contestant

    crop = Path(__file__).parents[3] / "examples" / "data" / "mgo_crop.hspy"
    suite = Suites(lab).add("mgo", str(crop))
    assert (suite.judged, len(suite.seeds), suite.data["mgo_crop"]) == (
        ("held_out",), 24, suite.cases[0].sha256,
    )  # fmt: skip
    place = lab / "suites" / "mgo.yaml"
    small = {"factorize": {"components": 3, "constraints": [{"nonnegative": {}}], "max_iter": 5}}
    recipe = {
        **RECIPE,
        "prepare": [*RECIPE["prepare"][:1], {"measure_beam": {}}, *RECIPE["prepare"][1:]],
        **small,
    }
    place.write_text(
        yaml.safe_dump({**yaml.safe_load(place.read_text()), "seeds": [1, 2, 3], "recipe": recipe})
    )
    path = Path(__file__).parents[3] / "examples" / "ideas" / "rim.py"
    told: list[str] = []
    tried = try_idea(path, suite="mgo", lab=lab, tell=told.append)
    assert [words.split(":")[0] for words in told[1:]] == ["1 of 3", "2 of 3", "3 of 3"]
    rows = {row.metric: row for row in tried.verdict.comparisons}
    assert rows["held_out"].n_pairs == rows["stability"].n_pairs == 3
    assert rows["held_out"].effect > 0  # the ghost of the camera reaches the rim
    assert "their p is at least 0.25" in tried.verdict.sentence
    one = Contestant.of(tried.id, Ledger(lab))
    factors = one.factors(("mgo_crop", 1))
    assert factors is not None
    assert (factors.maps.shape, factors.patterns.shape) == ((3, 28, 36), (3, 48, 48))
    assert factors.patterns[:, :1].max() == 0  # it is the idea's
    assert one.factors(("mgo_crop", 2)) is None


SPY = '''
import gc, os, sys
from pathlib import Path

LAB, SECRET, TRUTH = {lab!r}, {secret!r}, {truth!r}


def search():
    """Return all that tells of the truth: by files, environment, arguments, modules, objects."""
    hits = []

    def tried(what, found):
        try:
            if found():
                hits.append(what)
        except (OSError, ImportError, AttributeError, ValueError):
            pass

    def told(path):
        text = Path(path).read_bytes()
        return SECRET.encode() in text or b"demo:" in text or b"truth" in text

    tried("environment", lambda: any(SECRET in v or "demo:" in v or "truth" in v for v in os.environ.values()))
    tried("arguments", lambda: any(SECRET in a or "demo:" in a for a in sys.argv + sys.orig_argv))
    for folder in {{os.getcwd(), LAB, os.path.dirname(TRUTH), os.path.dirname(os.getcwd())}}:
        if os.path.realpath(folder) != os.path.realpath(os.getcwd()):
            tried(f"listing of {{folder}}", lambda: os.listdir(folder))
    for file in Path(".").iterdir():
        if file.suffix != ".json":  # the job holds this very source
            tried(f"file {{file}}", lambda: told(file))
    parent = f"/proc/{{os.getppid()}}"
    for file in (TRUTH, f"{{LAB}}/suites/tiny.yaml", f"{{parent}}/cmdline", f"{{parent}}/environ"):
        tried(f"file {{file}}", lambda: Path(file).read_bytes())
    for file in ("lab/shipped/quick.yaml", "io/glass.py"):
        import unmixel

        tried(file, lambda: (Path(unmixel.__file__).parent / file).read_bytes())

    def phantom():
        from unmixel.io.demo import phantom as draw

        return draw("demo:glass?scan=12x13&detector=20x22&precipitates=2&spot=1.4&dose=8000&seed=1")

    tried("phantom", phantom)
    tried("objects", lambda: any(type(o).__name__ == "Truth" for o in gc.get_objects()))
    for target in (f"{{LAB}}/trials/forged.txt", f"{{LAB}}/suites/tiny.yaml"):
        tried(f"writing {{target}}", lambda: Path(target).write_text("better") or True)
    return hits
'''


@pytest.mark.slow
def test_an_idea_that_searches_for_the_truth_finds_none_and_writes_nothing(tmp_path: Path, lab: Path) -> None:
    """The spy knows where lab and truth lie, and is told what to look for; outside the fence it finds all of it."""
    scan, truth = glass(**TINY)
    (tmp_path / "hidden-word").mkdir()
    np.save(tmp_path / "scan.npy", scan.data)
    np.savez(tmp_path / "hidden-word" / "truth.npz", maps=truth.maps, patterns=truth.patterns)
    Suites(lab).add("mine", str(tmp_path / "scan.npy"), truth=str(tmp_path / "hidden-word" / "truth.npz"))
    place = lab / "suites" / "mine.yaml"
    place.write_text(yaml.safe_dump({**yaml.safe_load(place.read_text()), "seeds": [1, 2], "recipe": RECIPE}))
    head = SPY.format(lab=str(lab), secret="hidden-word", truth=str(tmp_path / "hidden-word" / "truth.npz"))
    body = "hits = search()\nif hits:\n    raise RuntimeError(f'found: {hits}')\nreturn self.done(scan, scan.data)"
    before = _contents(lab / "suites")
    spy = step(body, head=head)
    for suite in ("tiny", "mine"):
        tried = try_idea(written(tmp_path, spy.code), suite=suite, lab=lab)
        assert not [one.failed for one in tried.measured if one.failed]
        assert {row.effect for row in tried.verdict.comparisons if row.metric == "truth_error"} == {0.0}
    assert _contents(lab / "suites") == before
    assert not list((lab / "trials").glob("forged*"))

    namespace: dict = {}
    exec(compile(head, "spy", "exec"), namespace)
    found = namespace["search"]()
    for what in (
        "listing of",
        "truth.npz",
        "quick.yaml",
        "glass.py",
        "phantom",
        "objects",
        "cmdline",
        "writing",
    ):
        assert any(what in one for one in found), f"the spy itself cannot find {what}"


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_a_score_is_judged_by_how_well_it_tells_good_from_bad(tmp_path: Path, lab: Path) -> None:
    from unmixel.lab.new_idea import new_idea

    tried = try_idea(new_idea("score", "compact", tmp_path / "compact.py"), suite="tiny", lab=lab)
    assert tried.verdict.comparisons[0].metric == "tells"
    assert all(-1 <= one.metrics["tells"] <= 1 for one in tried.measured)


@pytest.mark.slow
def test_an_identifier_is_judged_by_the_names_it_gives(tmp_path: Path, lab: Path) -> None:
    from unmixel.lab.new_idea import new_idea

    path = new_idea("identifier", "strict", tmp_path / "strict.py")
    with pytest.raises(InputError, match="candidates among which groups are named"):
        try_idea(path, suite="tiny", lab=lab)
    quick = Suites(lab).get("quick")
    told = {
        "judged": ["found"],
        "seeds": [1],
        "recipe": dict(quick.recipe),
        "cases": {"a": {"scan": quick.cases[0].scan, "candidates": ["CuZr", "CuZr2", "ZrO2"]}},
    }
    (lab / "suites" / "named.yaml").write_text(yaml.safe_dump(told))
    tried = try_idea(path, suite="named", lab=lab)
    first = tried.verdict.comparisons[0]
    assert (first.metric, first.n_pairs) == ("phase_accuracy", 1)
    assert 0 <= first.idea <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["constraint", "step", "start", "refinement", "solver", "loss", "distance", "identifier", "score"]
)
def test_every_template_keeps_its_laws_as_it_is(kind: str, tmp_path: Path) -> None:
    from unmixel.core import registry
    from unmixel.lab.idea import Idea, load
    from unmixel.lab.kinds import kind_of
    from unmixel.lab.laws import broken_laws
    from unmixel.lab.new_idea import new_idea

    path = new_idea(kind, "mine", tmp_path / "mine.py")
    assert 10 <= len([line for line in path.read_text().splitlines() if line.strip()]) <= 30
    loaded = load(Idea.read(path))
    assert (loaded.kind, loaded.name) == (kind_of(kind), "mine")
    with registry.lent(loaded.kind.group, loaded.plugin):
        assert broken_laws(loaded) == ()


def test_what_is_not_there_is_refused_before_anything_runs(tmp_path: Path, lab: Path) -> None:
    with pytest.raises(InputError, match="which is not there"):
        try_idea(tmp_path / "none.py", lab=lab)
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        try_idea(written(tmp_path, FRAME), suite="quik", lab=lab)
    with pytest.raises(IdeaError, match="line 1: this is not Python"):
        try_idea(written(tmp_path, "def (:"), suite="tiny", lab=lab)
    assert not (lab / "trials").exists()


# at the end, so that its source is found below what it uses
from dataclasses import dataclass  # noqa: E402
from typing import Any, ClassVar  # noqa: E402

LEVEL = 0.0


@dataclass(frozen=True)
class Halved:
    width: int = 1
    side: str = "patterns"
    name: ClassVar[str] = "halved_of_test"

    def bind(self, context):
        inside = np.full(context.grid.shape, LEVEL)
        inside[tuple(slice(self.width, s - self.width) for s in context.grid.shape)] = 1
        return BoundHalved(context.engine.xp, context.engine.asarray(inside, context.dtype))


@dataclass(frozen=True, eq=False)
class BoundHalved:
    xp: Any
    inside: Any
    kind: ClassVar[str] = "proximal"
    degree: ClassVar[int] = 0

    def prox(self, z, step):
        return z * self.inside

    def value(self, z):
        return self.xp.sum(z * 0, axis=tuple(range(1, z.ndim)))

    def violation(self, z):
        return float(self.xp.max(self.xp.abs(z - z * self.inside)))


def test_the_source_of_a_class_comes_with_all_that_it_uses() -> None:
    from unmixel.lab.idea import load
    from unmixel.lab.source import idea_of

    idea = idea_of(Halved(width=3))
    assert json.loads(json.dumps(dict(idea.parameters))) == {"width": 3, "side": "patterns"}
    assert load(idea).build().width == 3
    for part in ("import numpy as np", "from typing import", "LEVEL = 0.0", "class BoundHalved"):
        assert part in idea.code


def test_a_class_without_source_is_refused() -> None:
    from unmixel.lab.source import idea_of

    namespace: dict = {"dataclass": dataclass}
    exec(
        "@dataclass(frozen=True)\nclass Lost:\n    name = 'lost'\n    def apply(self, scan): return scan",
        namespace,
    )
    with pytest.raises(InputError, match="one whose text cannot be found"):
        idea_of(namespace["Lost"])
