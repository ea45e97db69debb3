"""Results and pages that several tests look at; each page is rendered once."""

from __future__ import annotations

import pytest
from fake_result import HOSTILE, make_result

from unmixel.report.page import page

STOPPED = {"card": None, "recipe": {}, "record": {"status": "interrupted"}, "extras": {}}

CASES = {
    "spectra": {"k": 2, "scan": (24, 22), "detector": (138,), "pattern_unit": (0.5, "eV")},
    "line": {"k": 2, "scan": (40,), "detector": (31, 26), "fill": "zero"},
    "stopped": {"k": 2, "with_groups": False, **STOPPED},
    "hostile": {"k": 2, "path": HOSTILE, "fill": "zero"},
    "one": {"k": 1, "path": "demo:glass?seed=1"},
}


@pytest.fixture(scope="session")
def results():
    return {
        "main": make_result(k=12, scan=(64, 72), detector=(144, 144)),
        **{name: make_result(**kind) for name, kind in CASES.items()},
    }


@pytest.fixture(scope="session")
def pages(results):
    return {name: page(result) for name, result in results.items()}
