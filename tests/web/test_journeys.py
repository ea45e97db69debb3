"""Longer ways through the viewer: stop and resume, two runs compared, a calibration with its rotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_viewer import screen

from unmixel.physics.cells import structures
from unmixel.physics.families import families

pytestmark = pytest.mark.slow

GLASS = "demo:glass?scan=16x16&detector=32x32&dose=20000&seed=1"
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
        assert re.search(r"Without a partner in the other run: demo-glass\S*\.run \d\.", section.inner_text())
        section.get_by_role("button", name="Copy as command").click()
        assert "unmixel compare" in section.locator(".snippet pre").inner_text()
        assert "<svg" in saved(page, section)
        page.screenshot(path=tmp_path / "compared.png", full_page=True)


def calibrant(path: Path, *, turned_deg: float, step: float) -> None:
    """Write rings of gold whose centre follows the slope of a bump of phase, seen by a turned detector."""
    (gold,) = structures(["Au"])
    found = families(gold, 0.9, least=0.01)
    y, x = np.mgrid[:16, :20]
    slope = np.stack(np.gradient(np.exp(-((y - 8) ** 2 + (x - 11) ** 2) / 18.0)))
    slope *= 0.8 / np.abs(slope).max()  # pixels
    cos, sin = np.cos(np.deg2rad(turned_deg)), np.sin(np.deg2rad(turned_deg))
    dv, du = slope[0] * cos - slope[1] * sin, slope[0] * sin + slope[1] * cos
    v, u = np.mgrid[:96, :96]
    g = step * np.hypot(v - 47.5 - dv[..., None, None], u - 47.5 - du[..., None, None])
    image = 400 * np.exp(-((g / 0.05) ** 2) / 2)
    for radius, intensity in zip(found.g, found.intensity / found.intensity.max(), strict=True):
        image += 200 * intensity * np.exp(-(((g - radius) / 0.016) ** 2) / 2)
    np.save(path, np.random.default_rng(0).poisson(image).astype(np.uint16))


def test_calibration_with_rotation_and_its_figure(shown, tmp_path):
    calibrant(tmp_path / "gold.npy", turned_deg=25, step=0.02)
    with shown(str(tmp_path / "gold.npy"), folder=tmp_path) as page:
        screen(page, "Calibrate")
        page.get_by_label("Known phase").select_option("Au")
        page.get_by_label("Scale (Å⁻¹ a pixel)").fill("0.0205")
        page.get_by_label("Find rotation as well").check()
        page.get_by_role("button", name="Fit", exact=True).click()
        numbers = page.locator("table.numbers")
        numbers.wait_for(timeout=LONG)
        page.get_by_test_id("fitting").wait_for(state="hidden", timeout=LONG)
        turned = re.search(r"Detector against scan\s+([\d.]+) ± ([\d.]+)°", numbers.inner_text())
        assert turned, numbers.inner_text()
        assert abs(float(turned.group(1)) - 25) < 4 * float(turned.group(2)) < 6
        assert "rings of Au" in saved(page, page.locator("[aria-labelledby=calibrate-title]"))
        page.screenshot(path=tmp_path / "rotation.png", full_page=True)
        page.get_by_role("button", name="Copy as Python").click()
        names: dict[str, Any] = {}
        exec(page.locator(".snippet pre").inner_text(), names)
        assert abs(names["turned"].angle_deg - 25) < 3


def test_figure_of_a_step(page):
    screen(page, "Prepare")
    form = page.locator("[aria-labelledby=steps-title]")
    form.locator("ol button").first.wait_for(timeout=LONG)
    assert "mean pattern before" in saved(page, form)
