"""Which papers a run rests on, and a list that numbers them in the order in which a text cites them."""

from __future__ import annotations

from dataclasses import dataclass, field

from unmixel.core import registry
from unmixel.core.errors import PluginError
from unmixel.dataset.bibliography import PAPERS, Reference


def brought(group: str, name: str) -> tuple[Reference, ...]:
    """Return the papers that a plug-in brings; none where it brings none or is not installed.

    Examples
    --------
    >>> [paper.key for paper in brought("solvers", "hals")], brought("solvers", "not installed")
    (['cichocki2009', 'gillis2012'], ())
    """
    try:
        plugin = registry.load(group, name)
    except (PluginError, ImportError, AttributeError):
        return ()
    given = getattr(plugin, "references", ())
    return tuple(paper for paper in given if isinstance(paper, Reference))


def unmixel_itself(version: str) -> Reference:
    """Return how unmixel is cited, as its ``CITATION.cff`` says.

    Parameters
    ----------
    version : str
        That ran; empty where it is not known.
    """
    return Reference(
        "unmixel",
        ("{The unmixel developers}",),
        "unmixel",
        kind="software",
        version=version,
        url="https://unmixel.org",
    )


@dataclass
class Citations:
    """Numbers papers as a text cites them.

    Examples
    --------
    >>> cited = Citations()
    >>> cited("lee1999", "kimoto2025"), cited("lee1999"), cited()
    ('[1, 2]', '[1]', '')
    >>> [paper.doi for paper in cited.papers]
    ['10.1038/44565', '10.1038/s41598-025-23541-7']
    """

    papers: list[Reference] = field(default_factory=list)

    def __call__(self, *papers: str | Reference) -> str:
        """Return the mark of papers or of their keys, such as ``[1, 3]``; nothing without any."""
        cited = [PAPERS[paper] if isinstance(paper, str) else paper for paper in papers]
        self.papers += [paper for paper in dict.fromkeys(cited) if paper not in self.papers]
        numbers = sorted({self.papers.index(paper) + 1 for paper in cited})
        return f"[{', '.join(map(str, numbers))}]" if numbers else ""

    def after(self, text: str, *papers: str | Reference) -> str:
        """Return a text with the mark of papers behind it, as it is without any."""
        return f"{text} {self(*papers)}" if papers else text
