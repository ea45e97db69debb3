"""The papers behind the methods, and a list that numbers them in the order in which a text cites them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reference:
    """One paper.

    Parameters
    ----------
    text : str
        Authors, journal, volume, page, year.
    doi : str
        Without ``https://doi.org/``; empty where the paper has none.
    """

    text: str
    doi: str = ""


PAPERS = {
    "lee1999": Reference("D. D. Lee, H. S. Seung, Nature 401, 788–791 (1999)", "10.1038/44565"),
    "uesugi2021": Reference(
        "F. Uesugi, S. Koshiya, J. Kikkawa, T. Nagai, K. Mitsuishi, K. Kimoto, "
        "Ultramicroscopy 221, 113168 (2021)",
        "10.1016/j.ultramic.2020.113168",
    ),
    "shiga2016": Reference(
        "M. Shiga, K. Tatsumi, S. Muto, K. Tsuda, Y. Yamamoto, T. Mori, T. Tanji, "
        "Ultramicroscopy 170, 43–59 (2016)",
        "10.1016/j.ultramic.2016.08.006",
    ),
    "kimoto2024": Reference(
        "K. Kimoto, J. Kikkawa, K. Harano, O. Cretu, Y. Shibazaki, F. Uesugi, "
        "Scientific Reports 14, 2901 (2024)",
        "10.1038/s41598-024-53289-5",
    ),
    "kimoto2025": Reference(
        "K. Kimoto, F. Uesugi, K. Harano, J. Kikkawa, O. Cretu, Y. Shibazaki, M. Shiga, A. Togo, "
        "Scientific Reports 15, 39143 (2025)",
        "10.1038/s41598-025-23541-7",
    ),
    "keenan2004": Reference(
        "M. R. Keenan, P. G. Kotula, Surface and Interface Analysis 36, 203–212 (2004)", "10.1002/sia.1657"
    ),
    "beck2009": Reference(
        "A. Beck, M. Teboulle, SIAM Journal on Imaging Sciences 2, 183–202 (2009)", "10.1137/080716542"
    ),
    "cichocki2009": Reference(
        "A. Cichocki, A.-H. Phan, IEICE Transactions on Fundamentals E92-A, 708–721 (2009)",
        "10.1587/transfun.E92.A.708",
    ),
    "tibshirani1996": Reference(
        "R. Tibshirani, Journal of the Royal Statistical Society B 58, 267–288 (1996)",
        "10.1111/j.2517-6161.1996.tb02080.x",
    ),
    "neufeld2024": Reference(
        "A. Neufeld, L. L. Gao, J. Popp, A. Battle, D. Witten, Biostatistics 25, 270–287 (2024)",
        "10.1093/biostatistics/kxac047",
    ),
    "rosettasciio": Reference("RosettaSciIO developers, RosettaSciIO, Zenodo", "10.5281/zenodo.8011666"),
}


@dataclass
class Citations:
    """Numbers papers as a text cites them.

    Examples
    --------
    >>> cited = Citations()
    >>> cited("lee1999", "kimoto2025"), cited("lee1999")
    ('[1, 2]', '[1]')
    >>> [paper.doi for paper in cited.papers]
    ['10.1038/44565', '10.1038/s41598-025-23541-7']
    """

    keys: list[str] = field(default_factory=list)

    def __call__(self, *keys: str) -> str:
        """Return the mark of one or more papers, such as ``[1, 3]``."""
        self.keys += [key for key in keys if key not in self.keys]
        return (
            "[" + ", ".join(str(number) for number in sorted(self.keys.index(key) + 1 for key in keys)) + "]"
        )

    @property
    def papers(self) -> list[Reference]:
        """All papers cited so far, in order."""
        return [PAPERS[key] for key in self.keys]
