"""Papers: every one that ran is cited, no other, and BibTeX that parsers read."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from fake_result import make_result

import unmixel
from unmixel.core import registry
from unmixel.dataset.bibliography import PAPERS, Reference, papers
from unmixel.report.citation import citation, citation_files
from unmixel.report.methods import methods
from unmixel.report.references import Citations, brought, unmixel_itself

ROOT = Path(__file__).parents[3]
OWN = Reference("mine2030", ("A. Person",), "Of my own", 2030, "A Journal", "1", "2–3", "10.1000/mine")
GROUPS = ("clusterers", "constraints", "losses", "readers", "refinements", "solvers", "starts", "steps")


@pytest.fixture(scope="module")
def result():
    return make_result(k=3, scan=(20, 24), detector=(31, 26))


def with_settings(result, **settings):
    return replace(result, factors=replace(result.factors, settings=settings))


def keys(result):
    return {paper.key for paper in methods(result).references}


class Mine:
    """A plug-in of someone else."""

    name = "mine"
    references = (OWN,)


@pytest.fixture
def mine(monkeypatch):
    """Register the plug-in in every group."""
    point = EntryPoint("mine", f"{__name__}:Mine", "unmixel.test")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Mine if self.name == "mine" else load(self))
    load = ORIGINAL_LOAD
    for group in GROUPS:
        monkeypatch.setitem(registry._group(group), "mine", point)


ORIGINAL_LOAD = EntryPoint.load


def test_every_entry_is_whole_and_says_the_same_in_bibtex():
    bibtexparser = pytest.importorskip("bibtexparser", reason="comes with the extra 'test'")
    library = bibtexparser.parse_string("\n".join(paper.bibtex for paper in PAPERS.values()))
    assert not library.failed_blocks
    entries = library.entries_dict
    assert set(entries) == set(PAPERS)
    for key, paper in PAPERS.items():
        found = {field.key: field.value for field in entries[key].fields}
        assert found["author"].split(" and ") == list(paper.authors)
        assert found["title"] == f"{{{paper.title}}}"
        assert found.get("doi", "") == paper.doi
        assert found.get("year", "") == str(paper.year or "")
        assert found.get("volume", "") == paper.volume
        assert found.get("pages", "").replace("--", "–") == paper.pages


@pytest.mark.parametrize("key", sorted(PAPERS))
def test_every_paper_has_what_it_takes_to_find_it(key):
    paper = PAPERS[key]
    assert paper.authors
    assert paper.title
    assert re.fullmatch(r"[a-z]+\d{0,4}", paper.key)
    if paper.kind != "software":
        assert paper.journal
        assert paper.volume
        assert paper.pages
        assert str(paper.year) == paper.key[-4:]
    if paper.doi:
        assert re.fullmatch(r"10\.\d{4,5}/\S+", paper.doi)
    elif paper.kind == "article":
        assert paper.year < 1950  # what is older may have none


def test_every_built_in_that_names_papers_names_some_that_are_known():
    named = {}
    for group in GROUPS:
        for name in registry.names(group):
            if registry.is_built_in(group, name):
                named[group, name] = [paper.key for paper in brought(group, name)]
    assert named["constraints", "relevance"] == ["yuan2006", "tan2013", "shiga2016"]
    assert named["solvers", "admm"] == ["huang2016", "boyd2011"]
    assert {key for found in named.values() for key in found} <= set(PAPERS)


@pytest.mark.parametrize(
    ("settings", "there", "absent"),
    [
        ({"solver": {"name": "hals"}}, {"cichocki2009", "gillis2012"}, {"beck2009", "boyd2011"}),
        ({"solver": "auto"}, {"beck2009", "boyd2011"}, {"cichocki2009"}),
        ({"loss": {"name": "kl"}}, {"lee2001", "dempster1977"}, set()),
        ({"loss": {"name": "frobenius"}}, set(), {"lee2001", "dempster1977"}),
        ({"start": {"name": "pursuit"}}, {"araujo2001", "gillis2014"}, {"boutsidis2008"}),
        ({"start": {"name": "random"}}, set(), {"araujo2001", "boutsidis2008"}),
        ({"constraints": [{"name": "friedel"}]}, {"friedel1913"}, {"kimoto2025x", "tan2013"}),
        ({"constraints": [{"name": "soft_orthogonal"}]}, {"shiga2016"}, {"tan2013"}),
        (
            {"refinements": [{"step": "consensus", "before": 3, "after": 3}]},
            {"bruefach2023"},
            {"neufeld2024"},
        ),
        ({"refinements": [{"step": "prune", "before": 3, "after": 3}]}, {"neufeld2024"}, {"bruefach2023"}),
        ({"sketch_sweeps": 5}, {"halko2011"}, set()),
        ({"sketch_sweeps": 0}, set(), {"halko2011"}),
    ],
)
def test_papers_of_what_ran_and_of_nothing_else(result, settings, there, absent):
    found = keys(with_settings(result, **settings))
    assert there <= found
    assert not absent & found


def test_the_text_cites_every_paper_and_lists_it_once(result):
    written = methods(result)
    marks = {int(n) for part in re.findall(r"\[([\d, ]+)\]", written.text) for n in part.split(",")}
    assert marks == set(range(1, len(written.references) + 1))
    assert len(set(written.references)) == len(written.references)


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": {"name": "mine"}},
        {"loss": {"name": "mine"}},
        {"start": {"name": "mine"}},
        {"constraints": [{"name": "mine"}]},
        {"refinements": [{"step": "mine", "before": 3, "after": 2}]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_plug_in_of_others_brings_its_own_paper(result, settings):
    assert OWN not in methods(result).references
    assert OWN in methods(with_settings(result, **settings)).references


@pytest.mark.usefixtures("mine")
def test_steps_readers_and_clusterers_of_others_bring_theirs(result):
    def found(**changes):
        return OWN in methods(replace(result, **changes)).references

    record = dict(result.record)
    assert found(record={**record, "steps": [{"name": "mine", "effect": "done."}]})
    assert found(record={**record, "input": {**record["input"], "reader": "mine (Lib 1.0)"}})
    assert found(recipe={"interpret": {"group": {"mine": {}}}})
    assert not found(recipe={"interpret": {"group": "auto"}})


def test_plug_ins_that_are_gone_or_bring_nonsense_are_no_hindrance(result, monkeypatch, mine):
    monkeypatch.setattr(Mine, "references", ("Doe 1999",))
    assert brought("solvers", "mine") == ()
    assert "'gone'" in methods(with_settings(result, solver={"name": "gone"})).text


def test_unmixel_is_cited_as_its_citation_file_says(result):
    file = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = unmixel_itself(unmixel.__version__)
    assert cited.title == file["title"]
    assert [name.strip("{}") for name in cited.authors] == [author["name"] for author in file["authors"]]
    assert cited.version == str(file["version"]) == project["version"]
    assert cited.url == file["url"] == project["urls"]["Documentation"]
    assert file["license"] == project["license"]
    assert methods(result).references[0].key == "unmixel"


def test_the_version_is_the_one_that_ran(result):
    older = replace(result, record={**result.record, "versions": {"unmixel": "0.0.7"}})
    assert "version = {0.0.7}" in citation(older)
    assert "version" not in citation(replace(result, record={})).split("@article")[0]


def test_citation_is_paragraph_list_and_bibtex(result):
    text = citation(result)
    written = methods(result)
    assert text.startswith(written.text)
    for number, paper in enumerate(written.references, start=1):
        assert f"\n{number}. {paper.text}." in text
        assert paper.bibtex in text
    files = citation_files(result)
    assert list(files) == ["methods.md", "references.bib"]
    assert text == files["methods.md"].removeprefix("# Methods\n\n") + "\n" + files["references.bib"]


def test_no_folder_of_anyone_is_told(result):
    record = {**result.record, "input": {**result.record["input"], "path": "/home/someone/data/mgo.zspy"}}
    text = citation(replace(result, record=record))
    assert "mgo.zspy" in text
    assert "someone" not in text


def test_marks_are_numbered_in_order_and_only_once():
    cited = Citations()
    assert cited(*papers("lee1999", "lee1999")) == "[1]"
    assert cited(OWN, "lee1999") == "[1, 2]"
    assert cited.after("text") == "text"
    assert [paper.key for paper in cited.papers] == ["lee1999", "mine2030"]
