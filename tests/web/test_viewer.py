"""The viewer as a user meets it: a real browser, the real server, the command `unmixel open`."""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

SCREENS = ("Data", "Calibrate", "Prepare", "Decompose", "Groups", "Phases", "Particles", "Runs")


def screen(page: Any, name: str) -> None:
    page.get_by_role("navigation").get_by_role("button", name=name, exact=True).click()


def pixels(page: Any, label: str) -> np.ndarray:
    """Bytes of a drawn image, as the browser holds them."""
    numbers = page.evaluate(
        """label => {
          const canvas = document.querySelector(`[data-testid="${label}"] canvas.pixels`);
          const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return [canvas.height, canvas.width, Array.from(image.data)];
        }""",
        label,
    )
    return np.array(numbers[2], np.uint8).reshape(numbers[0], numbers[1], 4)


def drawn(page: Any, label: str, size: tuple[int, int]) -> None:
    page.wait_for_function(
        """([label, rows, columns]) => {
          const canvas = document.querySelector(`[data-testid="${label}"] canvas.pixels`);
          return canvas && canvas.height === rows && canvas.width === columns;
        }""",
        arg=[label, *size],
    )


def drag(page: Any, locator: Any, by: tuple[float, float], steps: int = 8) -> None:
    box = locator.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=steps)
    page.mouse.up()


def test_scan_opens_with_both_images_and_no_token_in_the_address(page):
    drawn(page, "Scan image", (32, 32))
    drawn(page, "Pattern", (48, 48))
    assert "token" not in page.url
    assert len(np.unique(pixels(page, "Pattern").reshape(-1, 4), axis=0)) > 10


def test_cursor_keys_show_another_pattern(page):
    drawn(page, "Pattern", (48, 48))
    before = pixels(page, "Pattern")
    assert "y 16" in page.get_by_test_id("place").inner_text()
    page.keyboard.press("w")
    page.keyboard.press("Shift+D")
    page.wait_for_function("() => document.querySelector('[data-testid=place]').innerText.includes('x 26')")
    assert "y 15" in page.get_by_test_id("place").inner_text()
    page.wait_for_timeout(300)
    assert (pixels(page, "Pattern") != before).any()


def test_dragging_a_detector_changes_the_scan_image(page):
    drawn(page, "Scan image", (32, 32))
    page.get_by_label("Detector", exact=True).select_option("disk")
    page.wait_for_timeout(500)
    middle = pixels(page, "Scan image")
    shape = page.get_by_test_id("Pattern").get_by_test_id("shape")
    before = float(page.get_by_label("Centre, column (px)").input_value())
    drag(page, shape, (120, 0))
    page.wait_for_timeout(1000)
    assert float(page.get_by_label("Centre, column (px)").input_value()) > before + 5
    assert (pixels(page, "Scan image") != middle).any()
    radius = float(page.get_by_label("Radius (px)").input_value())
    drag(page, page.get_by_test_id("handle-edge"), (40, 0))
    assert float(page.get_by_label("Radius (px)").input_value()) > radius + 1
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Pattern").click()
    here = float(page.get_by_label("Centre, row (px)").input_value())
    page.keyboard.press("i")
    assert float(page.get_by_label("Centre, row (px)").input_value()) == here - 1


def test_region_drawn_on_the_scan_shows_its_mean(page):
    drawn(page, "Scan image", (32, 32))
    box = page.get_by_test_id("Scan image").locator("canvas.pixels").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert page.get_by_label("Region", exact=True).input_value() == "rectangle"
    page.wait_for_function(
        "() => document.querySelector('[aria-labelledby=pattern-title] select').value === 'region'"
    )


def test_pattern_follows_the_cursor_within_thirty_milliseconds(page):
    """Median over 100 moves, from the key to the drawn pattern, by the page's own clock."""
    drawn(page, "Pattern", (48, 48))
    times = page.evaluate(
        """async () => {
          performance.clearMeasures("cursor-to-pattern");
          for (let move = 0; move < 100; move++) {
            const key = "dsaw"[move % 4];
            const before = performance.getEntriesByName("cursor-to-pattern").length;
            dispatchEvent(new KeyboardEvent("keydown", { key }));
            const limit = performance.now() + 2000;
            while (performance.getEntriesByName("cursor-to-pattern").length === before && performance.now() < limit)
              await new Promise((resolve) => setTimeout(resolve, 1));
          }
          return performance.getEntriesByName("cursor-to-pattern").map((entry) => entry.duration);
        }"""
    )
    assert len(times) > 95
    assert statistics.median(times) < 30, f"median {statistics.median(times):.1f} ms"


def test_figure_and_snippet_of_the_pattern(page):
    drawn(page, "Pattern", (48, 48))
    side = page.locator("[aria-labelledby=pattern-title]")
    with page.expect_download() as waiting:
        side.get_by_role("button", name="Save figure (SVG)").click()
    assert "<svg" in Path(waiting.value.path()).read_text(encoding="utf-8")
    side.get_by_role("button", name="Copy as Python").click()
    assert "unmixel" in side.locator(".snippet pre").inner_text()


def test_decomposition_runs_here_and_its_groups_can_be_cut_elsewhere(page):
    screen(page, "Decompose")
    page.get_by_label("Components", exact=True).fill("4")
    page.get_by_label("Components", exact=True).press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("#components-title", timeout=120_000)
    assert "4 components" in page.locator("#components-title").inner_text()
    page.locator(".tiles .tile").nth(3).wait_for()
    assert page.locator(".tiles .tile").count() == 4

    screen(page, "Groups")
    page.wait_for_selector("[data-testid=cut]")
    title = page.locator("#tree-title")
    drag(page, page.locator("[data-testid=cut] .knob"), (0, 600))
    page.wait_for_function("() => /: 4 groups/.test(document.querySelector('#tree-title').innerText)")
    page.locator("[data-testid=groups] .tile").nth(3).wait_for()
    assert page.locator("[data-testid=groups] .tile").count() == 4
    page.get_by_role("button", name="Back to the run's cut").click()
    page.wait_for_timeout(500)
    assert re.search(r"\d+ groups", title.inner_text())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_screen_shows_in_both_languages(page, language):
    page.get_by_label("Language").select_option(language)
    tabs = page.locator("nav button")
    assert tabs.count() == len(SCREENS)
    for index in range(len(SCREENS)):
        tabs.nth(index).click()
        page.wait_for_timeout(400)
        assert page.locator("main").inner_text().strip()
        assert page.locator("[role=alert]").count() == 0
    assert page.evaluate("() => document.documentElement.lang") == language


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    for name in SCREENS:
        screen(page, name)
        page.wait_for_timeout(400)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, select, input, [tabindex='0']")]
              .filter((control) => !(control.labels?.length || control.getAttribute("aria-label")
                || control.innerText?.trim() || control.tagName === "PRE"))
              .map((control) => control.outerHTML)"""
        )
        assert nameless == []
    screen(page, "Data")
    page.evaluate("() => document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.innerText || document.activeElement.tagName"))
    assert {"Data", "Runs", "Copy as Python"} <= reached


def test_wrong_token_is_told_in_words(browser, glass):
    context = browser.new_context()
    shown = context.new_page()
    shown.goto(glass.split("#")[0] + "#token=wrong")
    assert "right token" in shown.get_by_role("alert").inner_text()
    context.close()
