"""The page is whole, safe and small, whatever the result holds."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from fake_result import CARD, CASES, HOSTILE, make_result
from PIL import Image

from unmixel.report import sections
from unmixel.report.citation import citation
from unmixel.report.page import CONTENTS, page, write_report

NAMES = ["main", *CASES]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects tags with attributes and text, and checks that every tag is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def read(pages):
    return {name: Reader(text) for name, text in pages.items()}


@pytest.fixture
def undrawn(monkeypatch):
    """Leave pictures undrawn, for tests of words alone."""
    dot = sections.Picture("data:image/png;base64,", "a picture", 1, 1)
    monkeypatch.setattr(sections.Picture, "of", lambda figure, alt: dot)


@pytest.mark.parametrize("name", NAMES)
def test_every_tag_is_closed_and_every_section_there(read, name):
    found = read[name]
    assert found.open == []
    ids = [attributes["id"] for attributes in found.all("section")]
    assert ids == [section for section, _ in CONTENTS]
    links = {attributes["href"] for attributes in found.all("a")}
    assert {f"#{section}" for section in ids} <= links


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_fetched_from_outside(read, name):
    found = read[name]
    assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in found.tags}
    assert found.all("script") == [{}]
    for tag, attributes in found.tags:
        assert not [key for key in attributes if key.startswith("on")]
        if tag == "img":
            assert attributes["src"].startswith("data:image/png;base64,")
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "https://doi.org/10."))
    assert any("default-src 'none'" in a.get("content", "") for a in found.all("meta"))


@pytest.mark.parametrize("name", NAMES)
def test_the_one_script_is_the_one_that_the_page_allows_and_reaches_nowhere(pages, name):
    script = pages[name].split("<script>")[1].split("</script>")[0]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}'" in pages[name]
    assert not {"http", "fetch", "import", "innerHTML", "eval"} & set(re.findall(r"\w+", script))


@pytest.mark.usefixtures("undrawn")
def test_the_page_holds_what_the_citation_says():
    result = make_result(k=2, scan=(9, 8), detector=(9, 8))
    text = page(result)
    said = html.unescape(text.split('<pre id="bibtex">')[1].split("</pre>")[0])
    assert said.startswith("@software{unmixel,")
    assert "@article{keenan2004," in said
    assert citation(result).endswith(said)
    buttons = Reader(text).all("button")
    assert all(f'id="{button["data-copy"]}"' in text for button in buttons)
    assert len(buttons) == 2


@pytest.mark.parametrize("name", NAMES)
def test_css_reaches_nowhere(pages, name):
    style = pages[name].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_words_of_its_own_and_its_size(read, name):
    images = read[name].all("img")
    words = Counter(image["alt"] for image in images)
    assert min(len(text) for text in words) > 8
    assert max(words.values()) == 1
    for image in images:
        picture = Image.open(BytesIO(base64.b64decode(image["src"].split(",")[1])))
        assert picture.width == pytest.approx(2 * int(image["width"]), abs=2)
        assert picture.height == pytest.approx(2 * int(image["height"]), abs=2)


def test_twelve_components_of_full_size_stay_small(pages):
    assert len(pages["main"].encode()) < 5e6


def test_each_component_stands_there_with_two_pictures(read):
    alts = {image["alt"] for image in read["main"].all("img")}
    assert {f"{what} of component {k}" for what in ("Pattern", "Map") for k in range(12)} <= alts


def test_hostile_names_are_text_and_nothing_else(pages, read):
    assert pages["hostile"].count("<script") == 1
    assert HOSTILE in read["hostile"].text


def test_hostile_words_from_every_side_stay_words():
    bad = "<img src=x onerror=alert(1)>{{ 7 * 7 }}$\\frac{$"
    base = make_result(k=2, scan=(9, 8), detector=(9, 8))
    steps = [{"name": bad, "parameters": {bad: [bad]}, "effect": bad}]
    record = {
        "steps": steps,
        "notes": [bad],
        "command": [bad],
        "versions": {bad: bad},
        "error": bad,
        "status": bad,
    }
    result = replace(
        base,
        factors=replace(base.factors, flags=((bad,), ()), settings={"constraints": [{"name": bad}]}),
        groups=replace(base.groups, cut_reason=bad, method=bad),
        particles=replace(base.particles, notes=(bad,), unit=bad),
        card=replace(CARD, rows=(replace(CARD.rows[0], label=bad, value=bad, light="blue", reason=bad),)),
        recipe={bad: bad},
        record=record,
    )
    text = page(result)
    found = Reader(text)
    assert "<img src=x" not in text
    assert "49" not in found.text.split("What was done")[-1].split("Images of the scan")[0]
    assert found.text.count(bad) > 8


def test_simulated_data_are_called_so(read):
    assert "Simulated data with known truth" in read["one"].text
    assert "Simulated data" not in read["main"].text


def test_what_was_done_is_told_whole(read, results):
    text = read["main"].text
    for step in results["main"].record["steps"]:
        assert step["name"] in text
        assert step["effect"] in text
    assert "Nothing else was done to the data." in text


def test_lights_are_words_too(read):
    text = read["main"].text
    assert all(word in text for word in ("good", "check", "problem"))


def test_numbers_of_the_particles_are_the_results_own(read, results):
    particles = results["main"].particles
    text = read["main"].text
    assert f"{particles.mean_diameter:.0f} nm (95 % interval" in text
    assert f"{len(particles.table)} particles" in text


def test_an_interrupted_run_says_what_is_missing(read):
    text = read["stopped"].text
    for words in (
        "did not come to its end (status: interrupted)",
        "No data card was kept",
        "does not say which steps were run",
        "No images of the scan were kept",
        "Components were not grouped",
        "Particles were not measured",
        "The record holds no command",
        "No recipe was kept",
        "The record holds no versions",
    ):
        assert words in text


@pytest.mark.usefixtures("undrawn")
def test_no_steps_and_unknown_steps_are_told_apart(read):
    result = make_result(k=1, scan=(9, 8), detector=(9, 8), extras={}, record={"steps": []})
    assert "saw the counts as they were read" in Reader(page(result)).text
    assert "saw the counts as they were read" not in read["stopped"].text


@pytest.mark.usefixtures("undrawn")
def test_no_particles_and_sizes_that_are_no_numbers():
    base = make_result(k=2, scan=(9, 8), detector=(9, 8), extras={})
    nan = float("nan")
    none = {
        "mean_diameter": nan,
        "median_diameter": nan,
        "mean_interval": (nan, nan),
        "median_interval": (nan, nan),
    }
    empty = replace(base.particles, table=(), labels=np.zeros_like(base.particles.labels), **none)
    assert "no particles" in Reader(page(replace(base, particles=empty))).text
    odd = replace(base.particles.table[0], diameter=nan, area=nan, on_border=False)
    text = Reader(page(replace(base, particles=replace(base.particles, table=(odd,), **none)))).text
    assert "Mean diameter unknown" in text


def test_maps_of_nothing_and_of_nan_are_drawn():
    base = make_result(
        k=2, scan=(9, 8), detector=(9, 8), extras={"odd": np.full((4, 4), np.nan)}, with_groups=False
    )
    maps = np.array(base.factors.maps)
    maps[0], maps[1, 2:4] = 0, np.nan
    factors = replace(base.factors, maps=maps, patterns=np.zeros_like(base.factors.patterns), residual=None)
    text = Reader(page(replace(base, factors=factors))).text
    assert "No residual was kept" in text


def test_the_file_is_written_where_it_is_said(tmp_path):
    result = make_result(k=1, scan=(9, 8), detector=(9, 8), extras={})
    path = write_report(result, tmp_path / "report.html")
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert write_report(result, tmp_path / "again.html").read_bytes() == path.read_bytes()
