"""The trail of ideas: nothing is lost, whoever writes at once and whoever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError, RunExistsError
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.trial import Measured, Trial

RECIPE = {"factorize": {"components": 4, "constraints": [{"sparse": {"weight": 0.5}}]}}


def trial(name: str = "sparse", **changes: object) -> Trial:
    values: dict[str, object] = {"recipe": RECIPE, "suite": "quick", "seeds": (0, 1)}
    return Trial(fresh_id(name), "try", name, "2026-11-30T10:15:02+00:00", **(values | changes))  # type: ignore[arg-type]


def finished(ledger: Ledger, name: str = "sparse", found: float = 7.0, **changes: object) -> str:
    one = trial(name, **changes)
    ledger.start(one)
    ledger.add(one.id, Measured("glass", 0, "baseline", metrics={"found": 1.0}, seconds=2.0))
    ledger.add(
        one.id, Measured("glass", 0, "idea", metrics={"found": found}, seconds=3.0, peak_bytes=5_000_000)
    )
    ledger.finish(one.id, state="finished", conclusion="found is better.")
    return one.id


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "lab")


text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=25, deadline=None)
@given(
    code=text.map(lambda words: words.replace("\r", "")),
    hypothesis=text,
    metrics=st.dictionaries(text, numbers, max_size=3),
    failed=text,
)
def test_what_goes_in_comes_out(tmp_path_factory, code, hypothesis, metrics, failed) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("lab"))
    one = trial(code=code, hypothesis=hypothesis, data={"glass": "ab" * 32}, versions={"numpy": "2"})
    ledger.start(one)
    measured = Measured(
        "glass", 3, "idea", metrics=metrics, seconds=1.5, peak_bytes=7, failed=failed, result="a/b"
    )
    ledger.add(one.id, measured)
    back = ledger.get(one.id)
    assert back == Trial(**{**vars(one), "measured": (measured,)})


def test_a_value_that_is_not_a_number_is_left_out(ledger: Ledger) -> None:
    one = trial()
    ledger.start(one)
    ledger.add(one.id, Measured("glass", 0, "idea", metrics={"found": float("nan"), "exact": 0.5}))
    (back,) = ledger.get(one.id).measured
    assert back.metrics == {"exact": 0.5}
    assert back.seconds != back.seconds


def test_the_folder_tells_people_what_was_tried(ledger: Ledger) -> None:
    place = ledger.start(trial(code="x = 1\n"))
    assert (place / "idea.py").read_text() == "x = 1\n"
    assert "components: 4" in (place / "recipe.yaml").read_text()
    assert json.loads((place / "trial.json").read_text())["state"] == "running"


def test_ids_are_found_by_their_start_or_their_last_part(ledger: Ledger) -> None:
    first, second = finished(ledger, "resolution"), finished(ledger, "isotropic")
    assert ledger.get(first[: first.index("-") + 4]).id == first
    assert ledger.get(second.rpartition("-")[2]).id == second
    with pytest.raises(InputError, match="which 2 have"):
        ledger.get("2")
    with pytest.raises(InputError, match=rf"Did you mean '{first}'"):
        ledger.get(first[:-6] + "x" + first[-5:])
    with pytest.raises(InputError):
        ledger.get("../" + ledger.folder.name)
    with pytest.raises(InputError, match="there are none"):
        Ledger(ledger.folder / "empty").get("x")


def test_an_id_is_never_given_twice(ledger: Ledger) -> None:
    one = trial(hypothesis="the first")
    ledger.start(one)
    with pytest.raises(RunExistsError):
        ledger.start(Trial(one.id, "try", "other", one.created))
    assert ledger.get(one.id).hypothesis == "the first"
    assert [path.name for path in ledger.trials.iterdir()] == [one.id]
    with pytest.raises(InputError, match="letters"):
        ledger.start(Trial("../x", "try", "x", one.created))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["sparse", "resolution", "tuned"]),
        ("sparse", ["sparse"]),
        ("quick tune", ["tuned"]),
        ("found>6.5", ["sparse", "tuned"]),
        ("found>6.5 found<=7", ["sparse"]),
        ("found=8 kind=tune", ["tuned"]),
        ("peak_MB>=5 name=resolution", ["resolution"]),
        ("state=finished since=2026-11-30", ["sparse", "resolution", "tuned"]),
        ("until=2026-11-30T10:15", ["sparse", "resolution", "tuned"]),
        ("since=2026-12", []),
        ("100%", []),
        ("baseline=shipped spa", ["sparse"]),
    ],
)
def test_filters(ledger: Ledger, words: str, names: list[str]) -> None:
    finished(ledger, "sparse")
    finished(ledger, "resolution", 6.0)
    one = trial("tuned")
    ledger.start(
        Trial(**{**vars(one), "kind": "tune", "measured": (Measured("a", 0, "idea", {"found": 8.0}),)})
    )
    ledger.finish(one.id, state="finished", conclusion="")
    assert {found.name for found in ledger.find(words)} == set(names)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fuond>3", "Did you mean 'found'"),
        ("state=finisht", "Did you mean 'finished'"),
        ("found>many", "expected a number"),
        ("since=yesterday", "expected a day"),
        ("'open", "quotes in pairs"),
        ("name>3", "expected one of"),
    ],
)
def test_filters_that_cannot_be_understood(ledger: Ledger, words: str, told: str) -> None:
    finished(ledger)
    with pytest.raises(InputError, match=told):
        ledger.find(words)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20))
def test_no_filter_breaks_the_index(ledger: Ledger, words: str) -> None:
    with suppress(InputError):
        ledger.find(words)


def test_notes_stand_below_the_conclusion(ledger: Ledger) -> None:
    name = finished(ledger)
    ledger.note(name, "once more with more seeds")
    first, second = ledger.get(name).conclusion.split("\n")
    assert first == "found is better."
    assert second.endswith(": once more with more seeds")
    assert ledger.find()[0].conclusion == ledger.get(name).conclusion
    with pytest.raises(InputError):
        ledger.note(name, "  ")


def test_promotion_tells_what_it_replaces(ledger: Ledger) -> None:
    assert ledger.best() is None
    first, second = finished(ledger), finished(ledger)
    assert ledger.promote(first).replaces == "shipped"
    done = ledger.promote(second)
    assert (done.id, done.replaces) == (second, first)
    assert ledger.best() == (second, RECIPE)
    assert [one.id for one in ledger.promotions()] == [first, second]
    with pytest.raises(InputError, match="already"):
        ledger.promote(second)


def test_promotion_refuses_what_did_not_work_and_says_why(ledger: Ledger) -> None:
    failed, nothing, bare = trial(), trial(), trial(recipe={})
    ledger.start(failed)
    with pytest.raises(InputError, match="running"):
        ledger.promote(failed.id)
    ledger.finish(failed.id, state="failed", conclusion="line 3: prox returned NaN")
    with pytest.raises(InputError, match=r"failed \(line 3: prox returned NaN\)"):
        ledger.promote(failed.id)
    for one, told in ((nothing, "without any measurement: too slow"), (bare, "without a recipe")):
        ledger.start(one)
        ledger.add(one.id, Measured("glass", 0, "idea", failed="too slow"))
        ledger.finish(one.id, state="finished", conclusion="")
        with pytest.raises(InputError, match=told):
            ledger.promote(one.id)
    assert ledger.best() is None


def rows(ledger: Ledger) -> list[tuple[str, ...]]:
    return sorted((one.id, one.state, str(dict(one.metrics))) for one in ledger.find())


@pytest.mark.parametrize("harm", ["missing", "cut", "noise", "empty", "old", "foreign journal"])
def test_the_index_comes_back_by_itself(ledger: Ledger, harm: str) -> None:
    for _ in range(3):
        finished(ledger)
    before, path = rows(ledger), ledger.index.path
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "old":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    elif harm == "foreign journal":
        path.with_name(path.name + "-journal").write_bytes(os.urandom(900))
    else:
        path.write_bytes({"cut": content[:5000], "noise": os.urandom(len(content)), "empty": b""}[harm])
    assert rows(ledger) == before
    assert ledger.rebuild() == 3


def test_folders_are_the_truth(ledger: Ledger) -> None:
    name, other = finished(ledger), finished(ledger)
    ledger.find()
    head = ledger.place(name) / "trial.json"
    head.write_text(head.read_text().replace("found is better.", "changed by hand."))
    for member in ledger.place(other).iterdir():
        member.unlink()
    ledger.place(other).rmdir()
    (ledger.trials / "not-a-trial").mkdir()
    assert [(one.id, one.conclusion) for one in ledger.find()] == [(name, "changed by hand.")]


ADDER = """
import sys
from pathlib import Path
from unmixel.lab.ledger import Ledger
from unmixel.lab.trial import Measured, Trial
ledger, name, mine = Ledger(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
own = Trial(f"own-{mine}", "try", f"own{mine}", "2026-11-30T10:00:00+00:00")
ledger.start(own)
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    ledger.add(name, Measured("c" * (1 + 400 * (number % 9)), number, f"process{mine}", {"x": float(number)}))
    if number % 20 == 0:
        ledger.add(own.id, Measured("glass", number, "idea", {"x": 1.0}))
        ledger.note(name, f"{mine} {number}")
        ledger.find("x>=0")
ledger.finish(own.id, state="finished", conclusion=f"by {mine}")
"""


def started(ledger: Ledger, program: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(ledger.folder), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow
def test_processes_at_once_lose_and_mix_nothing(ledger: Ledger) -> None:
    shared = trial()
    ledger.start(shared)
    workers = [started(ledger, ADDER, shared.id, str(mine)) for mine in range(6)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=60)
    assert [worker.returncode for worker in workers] == [0] * 6
    whole = ledger.get(shared.id)
    assert Counter(one.variant for one in whole.measured) == {f"process{mine}": 60 for mine in range(6)}
    for mine in range(6):
        ours = [one for one in whole.measured if one.variant == f"process{mine}"]
        assert [(one.seed, len(one.case), one.metrics["x"]) for one in ours] == [
            (n, 1 + 400 * (n % 9), float(n)) for n in range(60)
        ]
    assert len(whole.conclusion.split("\n")) == 18
    assert {one.id: one.conclusion for one in ledger.find("own")} == {f"own-{n}": f"by {n}" for n in range(6)}


VICTIM = """
import itertools, sys
from pathlib import Path
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.trial import Measured, Trial
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
for turn in itertools.count():
    one = Trial(fresh_id("victim"), "try", "victim", "2026-11-30T10:00:00+00:00", recipe={"factorize": {"seed": turn}})
    ledger.start(one)
    print("started", one.id, flush=True)
    for seed in range(5):
        ledger.add(one.id, Measured("glass" * 200, seed, "idea", {"x": 1.0}))
        print("added", one.id, flush=True)
    ledger.note(one.id, "a note")
    ledger.find("x>0")
    ledger.finish(one.id, state="finished", conclusion="done")
    print("finished", one.id, flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_a_ledger_that_is_right(ledger: Ledger) -> None:
    chance, said = random.Random(7), []
    for _ in range(12):
        victim = started(ledger, VICTIM)
        assert victim.stdout is not None
        victim.stdout.readline()
        time.sleep(chance.uniform(0.005, 0.12))
        victim.send_signal(signal.SIGKILL)
        said += [line.split() for line in victim.communicate()[0].splitlines() if line.count(" ") == 1]
    index = {one.id: one for one in ledger.find()}
    told = {
        word: Counter(name for what, name in said if what == word)
        for word in ("started", "added", "finished")
    }
    assert sum(told["added"].values()) > 20
    for name in told["started"]:
        back = ledger.get(name)
        assert len(back.measured) >= told["added"][name]  # what was said to be written is there
        assert all(len(one.case) == 1000 for one in back.measured)
        assert back.state == index[name].state
        assert back.state in ("finished", "killed")
        assert back.state == "finished" or name not in told["finished"]
    assert any(one.state == "killed" for one in index.values())
    before = rows(ledger)
    assert ledger.rebuild() == len(before)
    assert rows(ledger) == before
    killed = next(one.id for one in index.values() if one.state == "killed")
    ledger.resume(killed)
    assert ledger.find("state=running")[0].id == killed
    ledger.finish(killed, state="finished", conclusion="resumed")
    assert ledger.get(killed).state == "finished"


def test_a_trial_that_runs_is_not_taken_over(ledger: Ledger) -> None:
    one = trial()
    place = ledger.start(one)
    other = Ledger(ledger.folder)
    assert other.get(one.id).state == "running"
    with pytest.raises(InputError, match="another process runs"):
        other.resume(one.id)
    (place / "measured.jsonl").write_text('{"case": "gl')  # cut off by a kill
    ledger.add(one.id, Measured("glass", 0, "idea"))
    assert [back.case for back in ledger.get(one.id).measured] == ["glass"]
    ledger.finish(one.id, state="finished", conclusion="")
    with pytest.raises(InputError, match="did not finish"):
        other.resume(one.id)
