"""What every screen must have: text and figures to take along, help for every control, access for everybody, zoom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import GLASS, opened, viewer
from test_viewer import SCREENS, drag, drawn, screen

from unmixel.io.store import write_bundle
from unmixel.testing.results import example_result

pytestmark = pytest.mark.slow

LONG = 120_000


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a viewer with a scan, and a run that has everything that screens show."""
    folder = tmp_path_factory.mktemp("everything")
    write_bundle(folder / "all.nxs", example_result())
    with viewer(GLASS, str(folder / "all.nxs"), folder=folder) as address:
        yield address


@pytest.fixture
def all_of_it(browser: Any, both: str) -> Iterator[Any]:
    with opened(browser, both) as page:
        page.wait_for_function("() => document.querySelectorAll('.opened select').length === 2")
        yield page


def ready(page: Any, name: str) -> None:
    screen(page, name)
    page.locator(".actions button").first.wait_for(timeout=LONG)
    page.wait_for_function("() => !document.querySelector('.empty')", timeout=LONG)


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_copied_and_saved(all_of_it: Any, name: str) -> None:
    """Each button is pressed: every text is one that does something, every file holds what it says."""
    page = all_of_it
    ready(page, name)
    # what is saved is there when its arrays have come
    page.get_by_role("button", name=re.compile("^Save (figure|table)")).first.wait_for(timeout=LONG)
    seen = set()
    for place in range(page.locator(".actions").count()):
        actions = page.locator(".actions").nth(place)
        for button in actions.get_by_role("button").all():
            words = button.inner_text()
            if words.startswith("Copy as"):
                button.click()
                text = actions.locator(".snippet pre")
                text.wait_for(timeout=LONG)
                assert re.search(r"unmixel|record\.json", text.inner_text()), words
                actions.get_by_role("button", name="Close").click()
            else:
                with page.expect_download(timeout=LONG) as waiting:
                    button.click()
                content = Path(waiting.value.path()).read_bytes()
                kind = waiting.value.suggested_filename.rsplit(".", 1)[-1]
                start = {"svg": b"<?xml", "png": b"\x89PNG", "csv": b""}[kind]
                assert content.startswith(start)
                assert len(content) > 60
            seen.add(words)
    assert {"Copy as Python", "Copy as command"} <= seen
    assert any(words.startswith(("Save figure", "Save table")) for words in seen)
    assert name == "Runs" or {"Save figure (SVG)", "Save figure (PNG)"} <= seen


def test_every_control_has_help(all_of_it: Any) -> None:
    page = all_of_it
    counted = 0
    for name in SCREENS:
        ready(page, name)
        if name == "Data":
            page.get_by_label("Detector", exact=True).select_option("annulus")
        helpless = page.evaluate(
            "() => [...document.querySelectorAll('.field')].filter((one) => !one.querySelector('.question'))"
            ".map((one) => one.innerText)"
        )
        assert helpless == [], name
        counted += page.locator(".field").count()
    assert counted > 25
    screen(page, "Decompose")
    for key, words in {
        "factorize.constraints.resolution.fwhm": "Full width at half maximum of the probe",
        "factorize.refine.split.level": "share of the map's maximum",
        "factorize.constraints.sparse.weight": "standard deviations of the gradient's noise",
    }.items():
        page.get_by_label("Parameter", exact=True).fill(key)
        assert words in page.locator(".help-words").inner_text()
    screen(page, "Prepare")
    page.locator(".parameters summary").first.wait_for(timeout=LONG)
    page.get_by_role("button", name=re.compile("mask_beam")).click()
    page.get_by_text("Parameters of mask_beam").click()
    assert "Radius of the disk" in page.locator(".parameters").inner_text()


def test_the_wheel_and_keys_zoom_while_scale_cursor_and_detector_stay_right(
    all_of_it: Any, tmp_path: Path
) -> None:
    page = all_of_it
    ready(page, "Data")
    drawn(page, "Pattern", (48, 48))
    page.get_by_label("Detector", exact=True).select_option("disk")
    pattern = page.get_by_test_id("Pattern")
    overlay, shape = pattern.locator("svg.overlay"), pattern.get_by_test_id("shape")
    before, bar = shape.bounding_box(), pattern.locator(".scale-bar text").text_content()
    frame = pattern.locator(".window").bounding_box()
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -500)
    page.wait_for_function(
        "() => Number(document.querySelector('[data-testid=Pattern] svg.overlay').dataset.zoom) > 2"
    )
    factor = float(overlay.get_attribute("data-zoom"))
    after = shape.bounding_box()
    assert after["width"] / before["width"] == pytest.approx(factor, rel=0.05)
    assert pattern.locator(".scale-bar text").text_content() != bar
    # the detector moves with the hand: so many pixels of the pattern, not of the page
    was = float(page.get_by_label("Centre, column (px)").input_value())
    drag(page, shape, (60, 0))
    moved = float(page.get_by_label("Centre, column (px)").input_value()) - was
    assert moved == pytest.approx(60 / (factor * frame["width"] / 48), abs=0.1)
    page.screenshot(path=tmp_path / "zoom.png")
    overlay.focus()
    page.keyboard.press("0")
    assert overlay.get_attribute("data-zoom") == "1.00"

    scan = page.get_by_test_id("Scan image").locator("svg.overlay")
    scan.focus()
    for _ in range(8):
        page.keyboard.press("+")
    assert float(scan.get_attribute("data-zoom")) == pytest.approx(1.25**8, rel=0.02)
    for _ in range(3):
        page.keyboard.press("Shift+A")  # the cursor leaves what is seen, which follows
    assert "x 0" in page.get_by_test_id("place").inner_text()
    seen = page.get_by_test_id("Scan image").locator(".window").bounding_box()
    page.mouse.click(seen["x"] + 3, seen["y"] + seen["height"] / 2)
    assert "x 0" in page.get_by_test_id("place").inner_text()
    page.get_by_role("button", name="show all").click()
    assert scan.get_attribute("data-zoom") == "1.00"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_screen_breaks_a_rule_of_access(all_of_it: Any, sources: Path, language: str) -> None:
    """By axe-core: WCAG 2.2 A and AA, contrast and names of controls among them."""
    page = all_of_it
    page.get_by_label("Language").select_option(language)
    page.evaluate((sources / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    broken = []
    for place in range(len(SCREENS)):
        page.locator("nav button").nth(place).click()
        page.locator(".actions button").first.wait_for(timeout=LONG)
        page.wait_for_function("() => !document.querySelector('.empty')", timeout=LONG)
        found = page.evaluate(
            """async () => {
              const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
              const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
              const told = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`);
              return found.violations.flatMap(told);
            }"""
        )
        broken += [f"{SCREENS[place]}: {one}" for one in found]
    assert broken == []


@pytest.mark.parametrize("name", SCREENS)
def test_every_control_is_reached_by_the_keyboard_and_seen_there(all_of_it: Any, name: str) -> None:
    page = all_of_it
    ready(page, name)
    page.evaluate("() => document.activeElement.blur()")
    wanted = page.evaluate(
        """() => {
          const kinds = "button:not(:disabled), select, input, summary, [tabindex='0']";
          const controls = [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
          controls.forEach((one, place) => (one.dataset.place = place));
          return controls.length;
        }"""
    )
    reached, plain = set(), []
    for _ in range(2 * wanted + 20):
        page.keyboard.press("Tab")
        place, outline, html = page.evaluate(
            """() => {
              const one = document.activeElement;
              return [one.dataset.place, getComputedStyle(one).outlineStyle, one.outerHTML.slice(0, 120)];
            }"""
        )
        if place is None:
            continue
        reached.add(int(place))
        if outline == "none":
            plain.append(html)
        if len(reached) == wanted:
            break
    missed = page.evaluate(
        "(reached) => [...document.querySelectorAll('[data-place]')]"
        ".filter((one) => !reached.includes(Number(one.dataset.place))).map((one) => one.outerHTML.slice(0, 120))",
        sorted(reached),
    )
    assert missed == []
    assert plain == []
