"""The table says the same in text and in HTML, and nothing of an idea's name gets into the page unescaped."""

from __future__ import annotations

from unmixel.lab.statistics import by_case, compare
from unmixel.lab.table import HEAD, cases, html, number, row, text
from unmixel.lab.trial import Measured


def verdict():
    rows = []
    for seed in range(12):
        rows += [
            Measured(
                "c", seed, "baseline", metrics={"truth_error": 1e-3 + 1e-6 * seed, "sweeps": 4.0}, seconds=1.0
            ),
            Measured("c", seed, "idea", metrics={"truth_error": 5e-4, "sweeps": 4.0}, seconds=2.0),
        ]
    return compare(rows, ("truth_error",))


def test_text_and_html_hold_every_cell() -> None:
    found = verdict()
    page, plain = html(found, title="<b>idea</b>", below=["Trial: x"]), text(found)
    assert "<b>idea</b>" not in page.replace("&lt;b&gt;idea", "")
    for one in found.comparisons:
        for cell in row(one):
            assert cell in plain
            assert cell.replace("<", "&lt;") in page
    assert page.count("<th ") == len(HEAD)
    assert "better" in row(found.comparisons[0])[-1]
    assert row(next(one for one in found.comparisons if one.metric == "sweeps"))[-1] == "only told"


def test_what_happened_on_which_scan_is_told() -> None:
    rows = []
    for case, change in (("easy", -1e-3), ("hard", 2e-3)):
        for seed in range(3):
            rows += [
                Measured(case, seed, "baseline", metrics={"truth_error": 0.01}),
                Measured(case, seed, "idea", metrics={"truth_error": 0.01 + change}),
            ]
    told = cases(by_case(rows, "truth_error"), "truth_error")
    assert told == "Truth error by scan: easy -0.001 (better in 3 of 3), hard +0.002 (better in 0 of 3)."
    assert cases(by_case(rows[:6], "truth_error"), "truth_error") == ""


def test_numbers_are_short() -> None:
    assert [number(x) for x in (0.0, 1.0, 1234.5, 0.000012345, -0.5, float("nan"))] == [
        "0", "1", "1230", "1.23e-05", "-0.5", "-",
    ]  # fmt: skip
