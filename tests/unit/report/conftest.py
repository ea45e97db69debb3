"""Results and pages that several tests look at; each page is rendered once."""

from __future__ import annotations

import pytest
from fake_result import CASES, make_result

from unmixel.report.page import page


@pytest.fixture(scope="session")
def results():
    return {
        "main": make_result(k=12, scan=(64, 72), detector=(144, 144)),
        **{name: make_result(**kind) for name, kind in CASES.items()},
    }


@pytest.fixture(scope="session")
def pages(results):
    return {name: page(result) for name, result in results.items()}
