"""Longer ways through the viewer: stop and resume, two runs compared, a calibration with its rotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from test_viewer import screen

pytestmark = pytest.mark.slow

GLASS = "demo:glass?scan=24x24&detector=40x40&dose=20000&seed=1"
CALIBRANT = "demo:calibrant?scan=16x20&detector=96x96"
LONG = 120_000


def saved(page: Any, section: Any) -> str:
    with page.expect_download() as waiting:
        section.get_by_role("button", name="Save figure (SVG)").click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def run(page: Any, components: int) -> None:
    page.get_by_label("Components", exact=True).fill(str(components))
    page.get_by_label("Components", exact=True).press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()


def change(page: Any, key: str, value: str) -> None:
    page.get_by_label("Parameter", exact=True).fill(key)
    page.get_by_label("Value", exact=True).fill(value)
    page.get_by_role("button", name="Set", exact=True).click()


def test_stop_and_resume_then_two_runs_are_compared(shown, tmp_path):
    with shown(GLASS, folder=tmp_path) as page:
        screen(page, "Decompose")
        for key, value in (
            ("factorize.max_iter", "100000"),
            ("factorize.tol", "0"),
            ("factorize.sketch_sweeps", "0"),
        ):
            change(page, key, value)
        run(page, 4)
        status = page.locator(".progress")
        page.wait_for_function(
            "() => /\\d+ of/.test(document.querySelector('.progress')?.innerText)", timeout=LONG
        )
        page.locator(".tiles .tile").nth(3).wait_for(timeout=LONG)
        page.screenshot(path=tmp_path / "running.png")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name="Resume").wait_for(timeout=LONG)
        page.screenshot(path=tmp_path / "stopped.png")
        before = int(re.search(r"(\d+) of", status.inner_text()).group(1))
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=LONG)
        page.wait_for_function(
            "n => Number(/(\\d+) of/.exec(document.querySelector('.progress')?.innerText)?.[1]) > n",
            arg=before,
            timeout=LONG,
        )
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("button", name="Resume").wait_for(timeout=LONG)
        for key in ("max_iter", "tol", "sketch_sweeps"):
            page.get_by_role("button", name=re.compile(f"factorize.{key}")).click()
        run(page, 5)
        page.wait_for_selector("#components-title", timeout=LONG)

        screen(page, "Runs")
        ticks = page.locator("tbody input[type=checkbox]")
        ticks.nth(1).wait_for()
        assert ticks.count() == 2
        ticks.nth(0).check()
        ticks.nth(1).check()
        section = page.locator("[aria-labelledby=difference-title]")
        section.locator("#difference-title").wait_for()
        assert "factorize.components" in section.inner_text()
        assert section.locator(".tile").count() == 4
        section.get_by_role("button", name="Copy as command").click()
        assert "unmixel compare" in section.locator(".snippet pre").inner_text()
        assert "<svg" in saved(page, section)
        page.screenshot(path=tmp_path / "compared.png", full_page=True)


def test_calibration_with_rotation_and_its_figure(shown, tmp_path):
    with shown(CALIBRANT, folder=tmp_path) as page:
        screen(page, "Calibrate")
        page.get_by_label("Known phase").select_option("Au")
        page.get_by_label("Find rotation as well").check()
        page.get_by_role("button", name="Fit", exact=True).click()
        numbers = page.locator("table.numbers")
        numbers.wait_for(timeout=LONG)
        page.get_by_test_id("fitting").wait_for(state="hidden", timeout=LONG)
        assert re.search(r"Detector against scan\s+(not known|-?[\d.]+)", numbers.inner_text())
        assert "±" in numbers.inner_text()
        assert "rings of Au" in saved(page, page.locator("[aria-labelledby=calibrate-title]"))
        page.screenshot(path=tmp_path / "rotation.png", full_page=True)


def test_figure_of_a_step(page):
    screen(page, "Prepare")
    form = page.locator("[aria-labelledby=steps-title]")
    form.locator("ol button").first.wait_for(timeout=LONG)
    assert "mean pattern before" in saved(page, form)
