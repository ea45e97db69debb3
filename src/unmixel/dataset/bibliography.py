"""Papers that methods rest on: one noun, and a table of those that unmixel itself knows.

A plug-in says what is to be cited when it ran by a class variable
``references: ClassVar[tuple[Reference, ...]]``; it may leave it out. Built-ins take theirs from `papers`, third
parties make their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["article", "inproceedings", "software"]


@dataclass(frozen=True)
class Reference:
    """One paper, or one piece of software.

    Parameters
    ----------
    key : str
        Under which it is cited, such as ``lee1999``: letters and digits.
    authors : tuple of str
        Given names before the family name; the name of a group of people in braces, ``{The NumPy developers}``.
    title : str
    year : int or None
        None where it has none, as software that goes on.
    journal : str
        Journal, proceedings or repository.
    volume, pages : str
        Pages with an en dash, or the number of the article.
    doi : str
        Without ``https://doi.org/``; empty where there is none.
    kind : "article", "inproceedings" or "software"
    version, url : str
        Of software.

    Examples
    --------
    >>> PAPERS["lee1999"].text
    'D. D. Lee, H. S. Seung, Nature 401, 788–791 (1999)'
    >>> print(PAPERS["lee1999"].bibtex)
    @article{lee1999,
      author = {D. D. Lee and H. S. Seung},
      title = {{Learning the parts of objects by non-negative matrix factorization}},
      journal = {Nature},
      volume = {401},
      pages = {788--791},
      year = {1999},
      doi = {10.1038/44565},
    }
    """

    key: str
    authors: tuple[str, ...]
    title: str
    year: int | None = None
    journal: str = ""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    kind: Kind = "article"
    version: str = ""
    url: str = ""

    @property
    def text(self) -> str:
        """Authors, journal, volume, page, year."""
        names = ", ".join(name.strip("{}") for name in self.authors)
        if self.kind == "software":
            named = " ".join(filter(None, (self.title, self.version)))
            return ", ".join(filter(None, (names, named, self.journal, self.url)))
        place = ", ".join(filter(None, (f"{self.journal} {self.volume}".strip(), self.pages)))
        return f"{names}, {place}" + (f" ({self.year})" if self.year else "")

    @property
    def bibtex(self) -> str:
        """Entry for BibTeX and biblatex, in UTF-8."""
        place = "publisher" if self.kind == "software" else "journal"
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            "booktitle" if self.kind == "inproceedings" else place: self.journal,
            "volume": self.volume,
            "pages": self.pages.replace("–", "--"),
            "year": str(self.year or ""),
            "version": self.version,
            "doi": self.doi,
            "url": self.url,
        }
        lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
        return f"@{self.kind}{{{self.key},\n{''.join(lines)}}}"


def papers(*keys: str) -> tuple[Reference, ...]:
    """Return papers of the table by their keys.

    Examples
    --------
    >>> [paper.year for paper in papers("kimoto2024", "kimoto2025")]
    [2024, 2025]
    """
    return tuple(PAPERS[key] for key in keys)


_TABLE = (
    Reference(
        "araujo2001",
        ("M. C. U. Araújo", "T. C. B. Saldanha", "R. K. H. Galvão", "T. Yoneyama", "H. C. Chame", "V. Visani"),
        "The successive projections algorithm for variable selection in spectroscopic multicomponent analysis",
        2001, "Chemometrics and Intelligent Laboratory Systems", "57", "65–73", "10.1016/S0169-7439(01)00119-8",
    ),
    Reference(
        "beck2009", ("A. Beck", "M. Teboulle"),
        "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems",
        2009, "SIAM Journal on Imaging Sciences", "2", "183–202", "10.1137/080716542",
    ),
    Reference(
        "boutsidis2008", ("C. Boutsidis", "E. Gallopoulos"),
        "SVD based initialization: A head start for nonnegative matrix factorization",
        2008, "Pattern Recognition", "41", "1350–1362", "10.1016/j.patcog.2007.09.010",
    ),
    Reference(
        "boyd2011", ("S. Boyd", "N. Parikh", "E. Chu", "B. Peleato", "J. Eckstein"),
        "Distributed Optimization and Statistical Learning via the Alternating Direction Method of Multipliers",
        2011, "Foundations and Trends in Machine Learning", "3", "1–122", "10.1561/2200000016",
    ),
    Reference(
        "bruefach2023", ("A. Bruefach", "C. Ophus", "M. C. Scott"),
        "Robust design of semi-automated clustering models for 4D-STEM datasets",
        2023, "APL Machine Learning", "1", "016106", "10.1063/5.0130546",
    ),
    Reference(
        "cichocki2009", ("A. Cichocki", "A.-H. Phan"),
        "Fast Local Algorithms for Large Scale Nonnegative Matrix and Tensor Factorizations",
        2009, "IEICE Transactions on Fundamentals", "E92-A", "708–721", "10.1587/transfun.E92.A.708",
    ),
    Reference(
        "dempster1977", ("A. P. Dempster", "N. M. Laird", "D. B. Rubin"),
        "Maximum Likelihood from Incomplete Data via the EM Algorithm",
        1977, "Journal of the Royal Statistical Society B", "39", "1–22", "10.1111/j.2517-6161.1977.tb01600.x",
    ),
    Reference(
        "friedel1913", ("G. Friedel",),
        "Sur les symétries cristallines que peut révéler la diffraction des rayons Röntgen",
        1913, "Comptes rendus de l'Académie des sciences", "157", "1533–1536",
    ),
    Reference(
        "gillis2012", ("N. Gillis", "F. Glineur"),
        "Accelerated Multiplicative Updates and Hierarchical ALS Algorithms for Nonnegative Matrix Factorization",
        2012, "Neural Computation", "24", "1085–1105", "10.1162/NECO_a_00256",
    ),
    Reference(
        "gillis2014", ("N. Gillis", "S. A. Vavasis"),
        "Fast and Robust Recursive Algorithms for Separable Nonnegative Matrix Factorization",
        2014, "IEEE Transactions on Pattern Analysis and Machine Intelligence", "36", "698–714",
        "10.1109/TPAMI.2013.226",
    ),
    Reference(
        "halko2011", ("N. Halko", "P.-G. Martinsson", "J. A. Tropp"),
        "Finding Structure with Randomness: Probabilistic Algorithms for Constructing Approximate Matrix "
        "Decompositions",
        2011, "SIAM Review", "53", "217–288", "10.1137/090771806",
    ),
    Reference(
        "huang2016", ("K. Huang", "N. D. Sidiropoulos", "A. P. Liavas"),
        "A Flexible and Efficient Algorithmic Framework for Constrained Matrix and Tensor Factorization",
        2016, "IEEE Transactions on Signal Processing", "64", "5052–5065", "10.1109/TSP.2016.2576427",
    ),
    Reference(
        "keenan2004", ("M. R. Keenan", "P. G. Kotula"),
        "Accounting for Poisson noise in the multivariate analysis of ToF-SIMS spectrum images",
        2004, "Surface and Interface Analysis", "36", "203–212", "10.1002/sia.1657",
    ),
    Reference(
        "kimoto2024", ("K. Kimoto", "J. Kikkawa", "K. Harano", "O. Cretu", "Y. Shibazaki", "F. Uesugi"),
        "Unsupervised machine learning combined with 4D scanning transmission electron microscopy for bimodal "
        "nanostructural analysis",
        2024, "Scientific Reports", "14", "2901", "10.1038/s41598-024-53289-5",
    ),
    Reference(
        "kimoto2025",
        ("K. Kimoto", "F. Uesugi", "K. Harano", "J. Kikkawa", "O. Cretu", "Y. Shibazaki", "M. Shiga", "A. Togo"),
        "Nonnegative matrix factorization incorporating domain specific constraints for four dimensional scanning "
        "transmission electron microscopy",
        2025, "Scientific Reports", "15", "39143", "10.1038/s41598-025-23541-7",
    ),
    Reference(
        "lee1999", ("D. D. Lee", "H. S. Seung"),
        "Learning the parts of objects by non-negative matrix factorization",
        1999, "Nature", "401", "788–791", "10.1038/44565",
    ),
    Reference(
        "lee2001", ("D. D. Lee", "H. S. Seung"), "Algorithms for Non-negative Matrix Factorization",
        2001, "Advances in Neural Information Processing Systems", "13", "556–562", kind="inproceedings",
    ),
    Reference(
        "neufeld2024", ("A. Neufeld", "L. L. Gao", "J. Popp", "A. Battle", "D. Witten"),
        "Inference after latent variable estimation for single-cell RNA sequencing data",
        2024, "Biostatistics", "25", "270–287", "10.1093/biostatistics/kxac047",
    ),
    Reference(
        "odonoghue2015", ("B. O'Donoghue", "E. Candès"), "Adaptive Restart for Accelerated Gradient Schemes",
        2015, "Foundations of Computational Mathematics", "15", "715–732", "10.1007/s10208-013-9150-3",
    ),
    Reference(
        "rosettasciio", ("{RosettaSciIO developers}",), "RosettaSciIO", journal="Zenodo",
        doi="10.5281/zenodo.8011666", kind="software",
    ),
    Reference(
        "rowenhorst2015",
        ("D. Rowenhorst", "A. D. Rollett", "G. S. Rohrer", "M. Groeber", "M. Jackson", "P. J. Konijnenberg",
         "M. De Graef"),
        "Consistent representations of and conversions between 3D rotations",
        2015, "Modelling and Simulation in Materials Science and Engineering", "23", "083501",
        "10.1088/0965-0393/23/8/083501",
    ),
    Reference(
        "shiga2016",
        ("M. Shiga", "K. Tatsumi", "S. Muto", "K. Tsuda", "Y. Yamamoto", "T. Mori", "T. Tanji"),
        "Sparse modeling of EELS and EDX spectral imaging data by nonnegative matrix factorization",
        2016, "Ultramicroscopy", "170", "43–59", "10.1016/j.ultramic.2016.08.006",
    ),
    Reference(
        "tan2013", ("V. Y. F. Tan", "C. Févotte"),
        "Automatic Relevance Determination in Nonnegative Matrix Factorization with the β-Divergence",
        2013, "IEEE Transactions on Pattern Analysis and Machine Intelligence", "35", "1592–1605",
        "10.1109/TPAMI.2012.240",
    ),
    Reference(
        "teurtrie2023",
        ("A. Teurtrie", "N. Perraudin", "T. Holvoet", "H. Chen", "D. T. L. Alexander", "G. Obozinski", "C. Hébert"),
        "espm: A Python library for the simulation of STEM-EDXS datasets",
        2023, "Ultramicroscopy", "249", "113719", "10.1016/j.ultramic.2023.113719",
    ),
    Reference(
        "tibshirani1996", ("R. Tibshirani",), "Regression Shrinkage and Selection via the Lasso",
        1996, "Journal of the Royal Statistical Society B", "58", "267–288", "10.1111/j.2517-6161.1996.tb02080.x",
    ),
    Reference(
        "uesugi2021", ("F. Uesugi", "S. Koshiya", "J. Kikkawa", "T. Nagai", "K. Mitsuishi", "K. Kimoto"),
        "Non-negative matrix factorization for mining big data obtained using four-dimensional scanning transmission "
        "electron microscopy",
        2021, "Ultramicroscopy", "221", "113168", "10.1016/j.ultramic.2020.113168",
    ),
    Reference(
        "wojdyr2022", ("M. Wojdyr",), "GEMMI: A library for structural biology",
        2022, "Journal of Open Source Software", "7", "4200", "10.21105/joss.04200",
    ),
    Reference(
        "yuan2006", ("M. Yuan", "Y. Lin"), "Model selection and estimation in regression with grouped variables",
        2006, "Journal of the Royal Statistical Society B", "68", "49–67", "10.1111/j.1467-9868.2005.00532.x",
    ),
)  # fmt: skip

PAPERS = {paper.key: paper for paper in _TABLE}
"""Papers by their keys."""
