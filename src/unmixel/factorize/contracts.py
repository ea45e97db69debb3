"""The contracts of factorisation on one page: constraint, loss, solver, start. A newcomer's first read.

The model is ``X ~ sum_k maps[k] (x) patterns[k]``. Both factors are stored component first: maps ``(k, *scan_shape)``,
patterns ``(k, *pattern_shape)``, so that one constraint can serve either side. A factor F is made from a free
variable Z (F = Z where nothing is parametrised), and everything composes under one objective::

    minimise   1/2 sum_ij r_i w_j (X - F_maps' F_patterns)_ij^2          data, weights r (positions) and w (pixels)
             + sum over penalties of  sum_k  value_k(F or Z) * |partner_k|^degree

A **linear** constraint says how F is made from Z (``F = P Z``), a **proximal** one is a set or a simple function of Z,
a **smooth** one a penalty on F. |partner_k| is the weighted norm of the other factor's component; multiplied so, a
penalty does not change when a component trades scale between its map and its pattern (docs/decisions/0004).

A bound operator that treats every component by itself says so by a method ``cut(components: slice)``, which returns
the operator for those components: solvers then share components out to threads. A constraint that sets the first
components apart (pinned, spared) says how many by a method ``leading(grid)``: refinements leave those alone. One
that wants to know how many components fill the scan is `Spreading`: the sketch of the data tells it before it is bound.

Any plug-in may bring the papers that are to be cited where it ran, by a class variable ``references``: a tuple of
`unmixel.dataset.bibliography.Reference`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Grid
from unmixel.engines.walk import Found

Array = Any
"""An array of the engine in use."""

SideName = Literal["maps", "patterns"]

Samples = Any
"""Flat positions of a block: a slice, or an integer array of the engine."""

Between = Callable[..., tuple[Array, Found]]
"""From products (l, b) and what lies along the same positions to rows (l', b), and what else it found there.

It can be sent to another process (an object of small arrays, no closure over what changes) and changes nothing: blocks
come in any order, at the same time, and perhaps twice.
"""


@dataclass(frozen=True)
class Context:
    """What a constraint may know when it is bound to one side of a problem.

    Parameters
    ----------
    grid : Grid
        Shape and steps of the side.
    n_components : int
    engine : Engine
        Makes and converts arrays; ``engine.xp`` is the array namespace.
    dtype : str
        ``"float32"`` or ``"float64"``.
    weights : ndarray, shape grid.shape
        Fit weights of this side, on the host.
    noise : callable () -> float
        Standard deviation of the noise of one weighted entry of X (about 1 for counts under Poisson weights).
    gain : float
        Norm by which the side's linear constraints pass white noise back to Z (1 without any).
    n_partner : int
        Samples of the other side that are fitted.
    """

    grid: Grid
    n_components: int
    engine: Any
    dtype: str
    weights: NDArray[np.floating[Any]]
    noise: Callable[[], float] = lambda: 1.0
    gain: float = 1.0
    n_partner: int = 1


@runtime_checkable
class Constraint(Protocol):
    """A frozen dataclass of parameters that becomes an operator when bound to a problem.

    Attributes
    ----------
    name : str
        Registered name under ``unmixel.constraints``.
    side : "maps" or "patterns"
    """

    name: ClassVar[str]

    @property
    def side(self) -> SideName:
        """The factor it acts on."""
        ...

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one instance that fits a grid: the conformance suite checks the laws with it."""
        ...

    def bind(self, context: Context) -> Linear | Proximal | Smooth:
        """Return the operator for one problem; raises InputError where it does not fit."""
        ...


@runtime_checkable
class Spreading(Protocol):
    """A constraint that may leave open how many components fill the scan (``spare="auto"``)."""

    @property
    def is_open(self) -> bool:
        """Whether it is left open."""
        ...

    def settled(self, spread: int) -> Constraint:
        """Return the constraint with nothing left open, `spread` components filling the scan."""
        ...


@runtime_checkable
class Linear(Protocol):
    """A parametrisation ``F = A Z + b`` with non-negative A: holds exactly, at every step.

    Arrays have the shape (k, *grid.shape), in and out.
    """

    kind: ClassVar[Literal["linear"]]

    def forward(self, z: Array) -> Array:
        """Return ``A z + b``."""
        ...

    def adjoint(self, f: Array) -> Array:
        """Return ``A' f``: ``<A z, f> = <z, A' f>``."""
        ...


@runtime_checkable
class Proximal(Protocol):
    """A convex set or simple convex function g of Z, separable over samples.

    Attributes
    ----------
    degree : int
        How g grows with scale: 0 for a set, 1 for a norm.
    uniform : bool, optional
        Whether every sample is treated alike and `value` is a sum over samples: then samples can be solved for in
        parts, and the fast solvers apply. Taken as False where it is missing.
    """

    kind: ClassVar[Literal["proximal"]]
    degree: ClassVar[int]

    def prox(self, z: Array, step: Array) -> Array:
        """Return ``argmin_u g(u) + sum (u - z)^2 / (2 step)``; `step` broadcasts to z. Sets: the projection."""
        ...

    def value(self, z: Array) -> Array:
        """Return g per component, shape (k,), for feasible z (0 for a set)."""
        ...

    def violation(self, z: Array) -> float:
        """Return how far z is outside the set (largest absolute distance); 0 where g is finite everywhere."""
        ...


@runtime_checkable
class Smooth(Protocol):
    """A penalty on F with a Lipschitz gradient.

    Attributes
    ----------
    degree : int
        1 or 2: how the penalty grows with scale.
    curvature : float
        Upper bound of the second derivative in any direction.
    joint : bool, optional
        Whether it couples components. It is then evaluated at ``|partner_k| F_k`` instead of being multiplied by
        ``|partner_k|^degree``, which is the same where nothing is coupled, and must have degree 2 and be a sum of
        products ``c <F_j, F_k>`` with c >= 0. Taken as False where it is missing.
    """

    kind: ClassVar[Literal["smooth"]]
    degree: ClassVar[int]

    @property
    def curvature(self) -> float:
        """Return the Lipschitz constant of the gradient."""
        ...

    def value(self, f: Array) -> Array:
        """Return the penalty per component, shape (k,)."""
        ...

    def gradient(self, f: Array) -> Array:
        """Return its gradient, shape of f."""
        ...


class Products(Protocol):
    """All that a least-squares solver asks of the data: two products, a norm and a misfit."""

    @property
    def norm2(self) -> float:
        """Weighted squared norm of the data."""
        ...

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return ``sum r w (X - maps' patterns)^2`` for factors of shape (k, n) and (k, m)."""
        ...

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (l, n), for rows of shape (l, m)."""
        ...

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (l, m), for rows of shape (l, n)."""
        ...

    def through(self, rows: Array, between: Between, *along: Array) -> tuple[Array, Found]:
        """Return the sum over blocks b of ``between(rows X_b') X_b``, shape (l', m), in one pass, and what it told.

        `between` gets (l, b) products and the block's part of every array (..., n) of `along`.
        """
        ...


class DataProducts(Products, Protocol):
    """Products of the data themselves, which a sketch is made from."""

    def mixed(self, groups: NDArray[np.intp], signs: NDArray[Any], size: int) -> Array:
        """Return ``sum over i in group g of signs[i] sqrt(r_i) X_i``, shape (size, m); `norm2` is known after it."""
        ...

    def overlap(self, maps: Array, rows: Array) -> NDArray[np.float64]:
        """Return ``sum_ij maps_li X_ij rows_lj`` for every l, shape (l,), in one pass."""
        ...


class Extrapolation(Protocol):
    """Looks ahead along a sequence of patterns."""

    trail: tuple[tuple[Array, Array], ...]
    """Patterns at the begin and at the end of the last sweeps: all that it remembers."""

    def remember(self, begin: Array, end: Array) -> None:
        """Add a sweep that led from `begin` to `end`."""
        ...

    def forget(self) -> None:
        """Begin anew: the sequence was left."""
        ...

    def ahead(self) -> Array | None:
        """Return what the next sweep is to look ahead by; None where too little is known."""
        ...


class Settling(Protocol):
    """Makes maps the best for fixed patterns in a last pass, and tells what the patterns could still bring."""

    @property
    def on_block(self) -> Callable[..., tuple[Array, Array]]:
        """What makes the best Z of the maps of a block, and these as the data are multiplied by them, (k, b) each.

        From the engine that computes, the values (b, m) and the block's parts of `along`; as `Between` in all else.
        """
        ...

    @property
    def along(self) -> tuple[Array, ...]:
        """What it wants to know of each position, shape (..., n)."""
        ...

    def left(self, z_maps: Array, products: Array) -> float:
        """Return how far a sweep from the best maps would lower the objective, from their product with the data."""
        ...


class Descent(Protocol):
    """Lowers the full objective of one problem, a sweep over both sides at a time."""

    def begin(self, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
        """Return a start from which it can descend (multiplicative steps cannot from 0)."""
        ...

    def extrapolation(self, side: Any, depth: int, trail: tuple[tuple[Array, Array], ...]) -> Extrapolation:
        """Return what looks ahead along the patterns of `side`, going on from a trail; never at a `depth` of 0."""
        ...

    def objective(self, z_maps: Array, z_patterns: Array) -> float:
        """Return the full objective (one pass over the data)."""
        ...

    def sweep(
        self, z_maps: Array, z_patterns: Array, ahead: Array | None = None
    ) -> tuple[Array, Array, float]:
        """Return maps and patterns after one sweep, and how the objective changed.

        Parameters
        ----------
        z_maps, z_patterns : array
            Where the objective is known; not changed.
        ahead : array, optional
            What the `extrapolation` said, for instance patterns to begin from instead: only then may the objective
            rise.
        """
        ...

    def settle(self, z_maps: Array, z_patterns: Array) -> Array:
        """Return the maps that are best for fixed patterns."""
        ...

    def settling(self, z_maps: Array, z_patterns: Array) -> Settling | None:
        """Return how blocks of maps are made the best for fixed patterns, one by one; None where they cannot be."""
        ...


@runtime_checkable
class Loss(Protocol):
    """How the misfit between data and model is counted."""

    name: ClassVar[str]

    def check(self, scan: Any) -> None:
        """Raise InputError where what was done to a scan contradicts the loss."""
        ...

    def weigh(self, matrix: Any, *, engine: Any, budget: int) -> Any:
        """Return the matrix with the weights under which least squares stands for this loss (on the sketch).

        Parameters
        ----------
        matrix : Matrix
        engine : Engine
            Goes through the data, where a look at them is needed.
        budget : int
            Bytes for blocks.
        """
        ...

    def descent(self, matrix: Any, problem: Any, solver: Solver, *, budget: int) -> Descent:
        """Return how the exact objective of a bound problem is lowered; raises InputError where it cannot be."""
        ...


@runtime_checkable
class Solver(Protocol):
    """Lowers the objective of a problem one side at a time; never raises it.

    Where it has a property `to_the_end`, that solver is asked for the best of one side whose partner stays.
    """

    name: ClassVar[str]

    def check(self, problem: Any) -> None:
        """Raise InputError where the solver cannot take one of the problem's constraints."""
        ...

    def update(self, side: Any, z: Array, gram: Array, target: Array, scale: Array) -> Array:
        """Return a Z of one side with a lower (or equal) objective, the other side held fixed.

        Parameters
        ----------
        side : Side
            Constraints, weights and operators of the side (see problem.py).
        z : array, shape (k, *grid.shape)
            Feasible starting point; not changed.
        gram : array, shape (k, k)
            Weighted Gram matrix of the other side, plus the ridge that its own penalties add.
        target : array, shape (k, *grid.shape)
            Product of the data with the weighted other side.
        scale : array, shape (k,)
            Weighted norms of the other side's components.
        """
        ...


@runtime_checkable
class Start(Protocol):
    """Makes the first Z of both sides."""

    name: ClassVar[str]

    def make(self, problem: Any, *, sketch: Callable[[], Any], seed: int) -> tuple[Array, Array]:
        """Return Z of the maps (k, *scan_shape) and of the patterns (k, *pattern_shape), both >= 0."""
        ...
