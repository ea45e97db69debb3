"""How many components a scan holds: the evidence, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class NoiseEdge:
    """Singular values of the data against the largest one that noise alone reaches.

    Parameters
    ----------
    values : ndarray, shape (l,), descending
        Of the weighted data; only the leading ones are known, and those near the edge from below.
    edge : float
        What noise alone stays below in 999 of 1,000 cases.
    noise : float
        Standard deviation of one weighted entry, for which `edge` holds: 1 for counts under weights 1 / mean.
    seen_through : tuple of str
        Sides (``"maps"``, ``"patterns"``) whose blur the data were filtered with; empty for the data as they are.
    """

    values: Array
    edge: float
    noise: float
    seen_through: tuple[str, ...] = ()

    @property
    def n_above(self) -> int:
        """Number of values that noise does not explain."""
        return int(np.count_nonzero(self.values > self.edge))


@dataclass(frozen=True, eq=False)
class ComponentEdge:
    """Components of a fit against what the best of as many pieces of noise reaches in electrons that no fit has seen.

    Parameters
    ----------
    values : ndarray, shape (k,), descending
        How strongly each component shows in the electrons set aside, in standard deviations.
    edge : float
        Noise alone stays below it in 99 of 100 scans.
    candidates : int
        Components that were looked at.
    apart : int
        Leading components that are not judged and not among the values: a matrix that fills the scan.
    """

    values: Array
    edge: float
    candidates: int
    apart: int = 0

    @property
    def n_above(self) -> int:
        """Number of components that noise does not explain, those set apart included; at least 1."""
        return max(1, self.apart + int(np.count_nonzero(self.values > self.edge)))


@dataclass(frozen=True)
class RankScore:
    """What speaks for and against one number of components.

    Parameters
    ----------
    n_components : int
    held_out : float
        Squared error on data that the fit did not see, in units of the noise of one entry, above that of the best
        number of components (0 there).
    uncertainty : float
        Standard error of `held_out`.
    confirmed : int
        Independent directions of the model (singular vectors of maps times patterns) that the held-out data show, too.
    stability : float
        Mean agreement of restarts, pattern cosine x map Pearson of matched components, 0 to 1; NaN for one restart.
    relative_error : float
        Of the best restart, on the data of the fit.
    """

    n_components: int
    held_out: float
    uncertainty: float
    confirmed: int
    stability: float
    relative_error: float


@dataclass(frozen=True, eq=False)
class RankChoice:
    """A recommended number of components, its reason and all the evidence.

    Parameters
    ----------
    n_components : int
        What is recommended.
    reason : str
        In one sentence.
    most : int
        The data do not support more: what is recommended, or more that held-out data confirm, directions of a model or
        components of one of several ways of holding out.
    plain : NoiseEdge
        Of the data as they are.
    edge : NoiseEdge
        Of the data seen through the physics of the model; that of `plain` where the model has none.
    scores : tuple of RankScore
        Ascending numbers of components.
    method : str
        How data were held out: ``"count splitting"`` or ``"held-out entries"``.
    notes : tuple of str
        What was assumed.
    components : ComponentEdge, optional
        What refinements left, where the model has some, for the way of holding out that gave the recommended number.
    """

    n_components: int
    reason: str
    most: int
    plain: NoiseEdge
    edge: NoiseEdge
    scores: tuple[RankScore, ...]
    method: str
    notes: tuple[str, ...] = ()
    components: ComponentEdge | None = None

    @property
    def verdict(self) -> str:
        """What the data support at most, in words."""
        noun = "component" if self.most == 1 else "components"
        return f"The data do not support more than {self.most} {noun}."
