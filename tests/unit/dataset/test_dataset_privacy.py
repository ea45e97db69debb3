"""Whatever a record says, its private form tells no path, no user and no machine, and loses nothing else."""

from __future__ import annotations

import getpass
import json
import platform
import re
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.privacy import HOST, REMOVED, USER, Names, private, scrubbed
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors

NAMES = Names(
    users=frozenset({"alice", "Alice B. Miller"}), hosts=frozenset({"lab-pc7", "lab-pc7.example.org"})
)
FOLDER = "Zfolder"  # stands in every path above its last part, and nowhere else

words = st.sampled_from(["scan", "MgO", "2024", "a b", "x (1)", "é", "a,b", "it's"])
roots = st.sampled_from(
    ["/", "~/", "~alice/", "C:\\", "d:/", "\\\\server\\", "file:///", "/home/alice/", "C:\\Users\\Alice\\"]
)


@st.composite
def paths(draw: Any) -> str:
    """Return an absolute path; blanks in it only where nothing else stands in the text."""
    root = draw(roots)
    between = "\\" if "\\" in root else "/"
    return root + between.join(
        [FOLDER, *draw(st.lists(words, max_size=3)), draw(st.sampled_from(["x.hspy", "y"]))]
    )


plain_paths = paths().filter(lambda path: not re.search(r"[ ']", path))
names = st.sampled_from(["alice", "ALICE", "Alice B. Miller", "lab-pc7", "Lab-PC7.example.org"])
around = st.sampled_from([" ", "", ", ", "_", "=", "(", ")", ": ", "; ", "\n", "/", "@", "-"])
quoted = st.builds("{0}{1}{0}".format, st.sampled_from(['"', "`"]), paths())
pieces = st.one_of(st.text("abcz./\\ ~1", max_size=6), names, quoted, plain_paths.map(" {} ".format))
texts = st.one_of(paths(), st.lists(st.one_of(around, pieces), max_size=6).map("".join))
records = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(texts, inside, max_size=3)),
    max_leaves=8,
)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for part in item for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def a_result(**changes: Any) -> Result:
    factors = Factors(
        maps=np.ones((1, 2, 2)), patterns=np.ones((1, 2, 2)), scan_axes=(), pattern_axes=(),
        used_pixels=np.ones((2, 2), bool), fill="model", strengths=np.ones(1),
        convergence=Convergence((1.0,), 0.1, 1, True, "the rule was met"),
    )  # fmt: skip
    return Result(factors, **changes)


@settings(max_examples=150, deadline=None)
@given(record=records)
def test_no_record_tells_who_or_where(record: Any) -> None:
    clean = scrubbed(record, names=NAMES)
    text = json.dumps(clean, ensure_ascii=False)
    assert FOLDER not in text
    for name in (*NAMES.users, *NAMES.hosts):
        assert not re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE), name
    for line in "\n".join(strings(clean)).split("\n"):
        absolute = PurePosixPath(line).is_absolute() or PureWindowsPath(line).is_absolute()
        assert not absolute or not line.strip("/\\ "), line
    assert scrubbed(clean, names=NAMES) == clean


@settings(max_examples=50, deadline=None)
@given(record=records)
def test_what_tells_nothing_is_left_alone(record: Any) -> None:
    """Structure, numbers and text without paths and names come back as they were."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return [bare(item) for item in value.values()]
        return [bare(item) for item in value] if isinstance(value, list) else isinstance(value, str) or value

    assert bare(scrubbed(record, names=NAMES)) == bare(record)


@pytest.mark.parametrize(
    "text",
    [
        "1/angstrom and 0.51 lambda / alpha", "and/or", "demo:glass?scan=16x16&dose=4000", "data/mgo.zspy",
        "result.nxs#entry/arrays/constraints.0.pinned.values", "https://doi.org/10.1038/44565", "malice", "",
        "../scans/x.h5", "2024-01-02T03:04:05+00:00", "ratio 3:4", "/", "x//y",
    ],
)  # fmt: skip
def test_text_that_stays(text: str) -> None:
    assert scrubbed(text, names=NAMES) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/bob/scans/MgO 1.zspy", "MgO 1.zspy"),
        ("unmixel run '/data/a b/x.h5' --out /tmp/y.run", "unmixel run 'x.h5' --out y.run"),
        (r"unmixel.run('C:\\Users\\Bob\\x.mib')", "unmixel.run('x.mib')"),
        (r"\\server\share\x.mib", "x.mib"),
        ("cannot read ~/x/y.h5, nor (/b/c.h5)", "cannot read y.h5, nor (c.h5)"),
        ("see https://alice@example.org/a/b", "see https://example.org/a/b"),
        ("s3://bucket/alice/x.zarr", "x.zarr"),
        ("alice_scan.hspy", f"{USER}_scan.hspy"),
        ("on LAB-PC7.", f"on {HOST}."),
        ("first /a/b\n/c/d e\nlast", "first b\nd e\nlast"),
    ],
)
def test_text_that_changes(text: str, wanted: str) -> None:
    assert scrubbed(text, names=NAMES) == wanted


def test_a_path_below_somebodys_home_tells_the_name_that_is_then_looked_for() -> None:
    record = {
        "input": {"path": r"C:\Users\Bob Smith\x.mib"},
        "notes": ["read by bob smith", "/home/eve/x of eve"],
    }
    assert scrubbed(record, names=Names()) == {
        "input": {"path": "x.mib"},
        "notes": [f"read by {USER}", f"x of {USER}"],
    }
    assert scrubbed(["/data/a b/c.h5", "tried /data/a b/c.h5 twice"], names=Names()) == [
        "c.h5",
        "tried c.h5 twice",
    ]


def test_values_about_people_are_removed_unless_asked_for() -> None:
    record = {
        "Operator": "Eve Jones",
        "authors": ["A", "B"],
        "host_name": "x",
        "user": None,
        "note": "by Eve Jones",
    }
    assert scrubbed(record, names=Names()) == {
        "Operator": REMOVED, "authors": REMOVED, "host_name": REMOVED, "user": None, "note": f"by {USER}",
    }  # fmt: skip
    kept = scrubbed(record, names=Names(), keep=("operator", "Authors"))
    assert kept["Operator"] == "Eve Jones"
    assert kept["authors"] == ["A", "B"]
    assert kept["note"] == "by Eve Jones"
    assert scrubbed({"path": "/a/b"}, names=Names(), keep=("path",)) == {"path": "/a/b"}


def test_two_keys_that_become_one_stay_two() -> None:
    assert scrubbed({"/a/x": 1, "/b/x": 2, "x": 3}, names=Names()) == {"x": 1, "x 2": 2, "x 3": 3}


def test_names_that_tell_nothing_are_not_looked_for() -> None:
    names = Names(users=frozenset({"root", "al", "42", "max"}), hosts=frozenset({"localhost"}))
    text = "root mean square of al at 42 on localhost; max_iter, max_at_y_nm"
    assert scrubbed(text, names=names) == text
    assert scrubbed("by Max", names=names) == f"by {USER}"


def test_the_names_of_this_process_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "node", lambda: "lab-pc7.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: "zoe")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "zoes place")
    told = scrubbed(f"zoe on lab-pc7, {tmp_path}/zoes place/x.h5, lab-pc7.example.org")
    assert told == f"{USER} on {HOST}, x.h5, {HOST}"
    assert scrubbed(f"run '{tmp_path}/zoes place/a b/c d.h5'") == "run 'c d.h5'"


def test_a_result_keeps_its_numbers_and_its_own_words(tmp_path: Path) -> None:
    card = DataCard(
        "/home/alice/x.h5",
        (
            CardRow("Operator", "Eve"),
            CardRow("Format", "npz, from /home/alice/x.h5", "green", "alice said so"),
        ),
        {"path": "/home/alice/x.h5", "n": 3},
    )
    given = a_result(
        card=card, recipe={"read": {"voltage_kV": 300.0}}, record={"command": "unmixel run /home/alice/x.h5"},
        extras={"beam": np.eye(3)}, folder=tmp_path,
    )  # fmt: skip
    clean = private(replace(given, factors=replace(given.factors, flags=(("as /a/b",),))), names=NAMES)
    assert clean.folder is None
    assert clean.card == DataCard(
        "x.h5",
        (CardRow("Operator", REMOVED), CardRow("Format", "npz, from x.h5", "green", f"{USER} said so")),
        {"path": "x.h5", "n": 3},
    )
    assert clean.record == {"command": "unmixel run x.h5"}
    assert clean.recipe == given.recipe
    assert clean.factors.flags == (("as b",),)
    for item in fields(Factors):
        if item.name != "flags":
            found, wanted = (getattr(one.factors, item.name) for one in (clean, given))
            assert found is wanted or found == wanted, item.name
    assert clean.extras["beam"] is given.extras["beam"]
    green = private(a_result(card=card), names=Names(users=frozenset({"green", "model"})))
    assert green.card is not None
    assert green.card.rows[1].light == "green"
    assert green.factors.fill == "model"
