"""What to paste into a paper: the methods paragraph, its references, BibTeX."""

from __future__ import annotations

from collections.abc import Mapping

from unmixel.dataset.result import Result
from unmixel.report.methods import Methods, methods


def citation(result: Result) -> str:
    """Return the methods paragraph of a result, the papers that it cites, and these in BibTeX.

    Only what ran is told and cited: the record of the run says it, nothing is guessed. A plug-in brings its own
    papers (`unmixel.dataset.bibliography`). unmixel itself is the first of them.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        Markdown, then BibTeX.

    Examples
    --------
    >>> print(citation(unmixel.load("mgo.run")))  # doctest: +SKIP
    The scan mgo.zspy with 105 × 105 positions, ...
    """
    written = methods(result)
    return f"{_paragraph(written)}\n{bibtex(written)}"


def citation_files(result: Result) -> Mapping[str, str]:
    """Return the text of ``methods.md`` and of ``references.bib``, by these names."""
    written = methods(result)
    return {"methods.md": f"# Methods\n\n{_paragraph(written)}", "references.bib": bibtex(written)}


def bibtex(written: Methods) -> str:
    """Return the papers of a methods paragraph as BibTeX, in the order in which it cites them."""
    return "\n".join(f"{paper.bibtex}\n" for paper in written.references)


def _paragraph(written: Methods) -> str:
    lines = [
        f"{number}. {paper.text}." + (f" https://doi.org/{paper.doi}" if paper.doi else "")
        for number, paper in enumerate(written.references, start=1)
    ]
    return "\n".join([written.text, "", *lines, ""])
