"""NMF, the estimator: scikit-learn conventions around a factorisation with constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.engines.base import host_dtype
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.engines.lazy import is_lazy, mapping_of
from unmixel.factorize.descent import StopRule
from unmixel.factorize.fit import Fit, OnSweep, fit, maps_for
from unmixel.factorize.plan import Plan
from unmixel.factorize.state import SketchState, State
from unmixel.factorize.stretching import Widths
from unmixel.factorize.work import OnSketch


def settings_of(part: Any) -> dict[str, Any]:
    """Return the name and parameters of a plug-in object, JSON-safe (arrays by shape and sum)."""
    settings: dict[str, Any] = {"name": getattr(part, "name", type(part).__name__)}
    shown = fields(part) if is_dataclass(part) else ()
    for item in (item for item in shown if item.metadata.get("recorded", True)):
        value = getattr(part, item.name)
        if isinstance(value, np.ndarray):
            value = {"array_of_shape": list(value.shape), "sum": float(value.sum())}
        settings[item.name] = value
    return settings


class NMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Non-negative matrix factorisation of counts under the physics of the microscope.

    ``minimise 1/2 sum_ij r_i w_j (X - W H)_ij^2 + penalties`` over non-negative W (maps) and H (patterns), with
    linear parametrisations, proximal constraints and smooth penalties as given (see `factorize.contracts`).

    Parameters
    ----------
    n_components : int, >= 1
        Number of components k.
    constraints : sequence of Constraint
        Beside non-negativity of both factors, which always holds: `Resolution`, `SpotShape`, `Sparse`, ...
    loss : str or Loss
        ``"frobenius"``: weighted least squares. ``"kl"``: the likelihood of single counts, whose weights are
        multiplicities; the objective is then half the Poisson deviance, not the expression above.
    solver : str or Solver
        ``"auto"`` (each side by the fastest its constraints allow), ``"admm"`` or ``"hals"`` (proximal constraints
        only), ``"gradient"`` (every constraint).
    start : str or Start
        ``"svd"``, ``"pursuit"``, ``"random"``, or an object such as `GivenStart`.
    refine : sequence of Refinement
        `Split`, `Merge`, `Prune`, `Consensus`: what changes which components there are after the
        sweeps on the sketch, in order; `n_components` is then the number to begin with.
    sketch_sweeps : int, >= 0
        Most sweeps on a sketch of the data before the exact ones; left out where the data are small.
    max_iter : int, >= 1
        Most exact sweeps.
    tol : float, >= 0
        Stop when the objective falls by less than this share of itself per sweep (mean over 2 sweeps).
    random_state : int, RandomState or None
        Seed of start and sketch; the same whole number gives the same result.
    engine : str or Engine
        ``"numpy"``, ``"torch"`` or ``"dask"``, or an object with settings, such as `DaskEngine`.
    memory_budget : int
        Bytes for blocks of data and their working copies; data that do not fit are read anew each pass.
    scan_shape, pattern_shape : tuple of int, optional
        How rows and columns of a plain 2-D X fold back, where constraints need to know.

    Attributes
    ----------
    components_ : ndarray, shape (k, m)
        Patterns, each summing to 1 over used pixels.
    reconstruction_err_ : float
        Exact ``sqrt(sum r w (X - W H)^2)``.
    n_iter_ : int
        Exact sweeps done.
    convergence_ : Convergence
    residual_ : Residual

    Raises
    ------
    InputError
        Where data, shapes or constraints do not fit each other.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((30, 2)) @ rng.random((2, 20))
    >>> model = NMF(2).fit(X)
    >>> model.components_.shape, bool(model.convergence_.relative_error < 0.01)
    ((2, 20), True)
    """

    def __init__(  # noqa: PLR0913 - one keyword per documented setting, as scikit-learn has it
        self,
        n_components: int = 12,
        *,
        constraints: Sequence[Any] = (),
        loss: Any = "frobenius",
        solver: Any = "auto",
        start: Any = "svd",
        refine: Sequence[Any] = (),
        sketch_sweeps: int = 100,
        max_iter: int = 200,
        tol: float = 3e-5,
        random_state: Any = 0,
        engine: Any = "numpy",
        memory_budget: int = DEFAULT_BUDGET,
        scan_shape: tuple[int, ...] | None = None,
        pattern_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.n_components = n_components
        self.constraints = constraints
        self.loss = loss
        self.solver = solver
        self.start = start
        self.refine = refine
        self.sketch_sweeps = sketch_sweeps
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.engine = engine
        self.memory_budget = memory_budget
        self.scan_shape = scan_shape
        self.pattern_shape = pattern_shape

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit maps and patterns.

        Parameters
        ----------
        X : array, sparse matrix, Matrix or Scan
            Positions x pixels, finite and >= 0; integers are welcome; dask arrays and memory maps stay on disk.
        y : None
            Ignored; there for scikit-learn.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Fit and return the maps, shape (n, k); see `fit`."""
        matrix = self._matrix(X, reset=True)
        found = fit(matrix, self.plan_for(matrix))
        self._keep(found)
        return np.ascontiguousarray(found.maps.T)

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the maps of X for the fitted patterns, shape (n, k)."""
        check_is_fitted(self, "components_")
        matrix = self._matrix(X, reset=False)
        plan = self._settled(matrix)
        return np.ascontiguousarray(maps_for(matrix, self.components_, plan, self._noise).T)

    def inverse_transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return maps (n, k) times patterns: the model, shape (n, m)."""
        check_is_fitted(self, "components_")
        return np.asarray(np.asarray(X) @ self.components_)

    def factorize(
        self,
        scan: Scan,
        *,
        on_sweep: OnSweep | None = None,
        on_sketch: OnSketch | None = None,
        resume: State | None = None,
        sketch: SketchState | None = None,
    ) -> Factors:
        """Fit a scan and return its factors with axes, residual and settings; strongest component first.

        Parameters
        ----------
        scan : Scan
        on_sweep : callable(State), optional
            Told after the solve on the sketch, after every exact sweep and when the maps have settled; whatever it
            raises ends the fit.
        on_sketch : callable(SketchState), optional
            Told after every pass of the sketch.
        resume : State, optional
            Go on from a state that `on_sweep` was told.
        sketch : SketchState, optional
            Go on from a state that `on_sketch` was told; give both where both are there.
        """
        matrix = self._matrix(scan, reset=True)
        plan = self.plan_for(matrix)
        found = fit(matrix, plan, on_sweep=on_sweep, on_sketch=on_sketch, resume=resume, sketch=sketch)
        self._keep(found)
        light = found.maps.sum(axis=1, dtype=np.float64)
        order = np.argsort(-light, kind="stable")
        k = len(order)
        filled = any(c.name == "spot_shape" for c in plan.constraints)
        return Factors(
            maps=found.maps[order].reshape(k, *scan.scan_shape),
            patterns=found.patterns[order].reshape(k, *scan.pattern_shape),
            scan_axes=scan.scan_axes,
            pattern_axes=scan.pattern_axes,
            used_pixels=(matrix.pixel_weights > 0).reshape(scan.pattern_shape),
            fill="model" if filled else "zero",
            strengths=light[order] / max(float(light.sum()), 1e-30),
            convergence=found.convergence,
            flags=((),) * k,
            residual=found.residual,
            settings=self._settings(self._settled(matrix))
            | found.notes
            | {name: found.told(name, order) for name in ("significance", "agreement")},
        )

    def _settled(self, matrix: Matrix) -> Plan:
        """Return the plan of the last fit, with what it found where settings had been left open."""
        plan = self.plan_for(matrix).settled(self._spread)
        return replace(plan, constraints=self._widths.applied(plan.constraints))

    def _settings(self, plan: Plan) -> dict[str, Any]:
        return {
            "n_components": plan.n_components,
            "constraints": [settings_of(c) for c in plan.constraints],
            "loss": settings_of(plan.loss),
            "solver": settings_of(plan.solver),
            "start": settings_of(plan.start),
            "refine": [settings_of(step) for step in plan.refinements],
            "engine": settings_of(plan.engine),
            "dtype": plan.dtype,
            "max_iter": plan.rule.max_sweeps,
            "tol": plan.rule.tol,
            "seed": plan.seed,
            "memory_budget": plan.budget,
        }

    def _keep(self, found: Fit) -> None:
        self.components_ = found.patterns
        self.n_components_ = len(found.patterns)
        self.reconstruction_err_ = found.misfit
        self.n_iter_ = max(1, found.convergence.n_sweeps)
        self.convergence_ = found.convergence
        self.residual_ = found.residual
        self._noise = found.noise
        self._spread = int(found.notes["spread"] or 1)
        told = found.notes["widths"]
        self._widths = Widths() if told is None else Widths.of(told)

    def plan_for(self, matrix: Matrix) -> Plan:
        """Return all settings of a factorisation of `matrix` as objects."""
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            raise InputError(
                "n_components", expected="a whole number >= 1", got=repr(self.n_components), hint="try 12"
            )
        positive = registry.load("constraints", "nonnegative")
        # penalties first: a soft threshold followed by the clip is the exact proximal step of both
        constraints = (*self.constraints, positive("maps"), positive("patterns"))
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        return Plan(
            n_components=int(self.n_components),
            constraints=constraints,
            loss=registry.plugin("losses", self.loss),
            solver=registry.plugin("solvers", self.solver),
            start=registry.plugin("starts", self.start),
            engine=registry.plugin("engines", self.engine),
            dtype=host_dtype(matrix.data.dtype),
            rule=StopRule(max_sweeps=int(self.max_iter), tol=float(self.tol)),
            sketch_sweeps=int(self.sketch_sweeps),
            seed=int(seed),
            budget=int(self.memory_budget),
            refinements=tuple(registry.plugin("refinements", step) for step in self.refine),
        )

    def matrix_of(self, X: Any) -> Matrix:
        """Return data (array, sparse matrix, Scan or Matrix) as a checked Matrix."""
        return self._matrix(X, reset=True)

    def _check_pixels(self, n_pixels: int) -> None:
        if n_pixels != self.n_features_in_:
            raise InputError(
                "X",
                expected=f"{self.n_features_in_} pixels as in fit",
                got=str(n_pixels),
                hint="prepare it as the data of fit",
            )

    def _matrix(self, X: Any, *, reset: bool) -> Matrix:
        """Return X as a Matrix, checked once, here."""
        if isinstance(X, (Scan, Matrix)):
            if isinstance(X, Scan):
                registry.plugin("losses", self.loss).check(X)
            matrix = Matrix.from_scan(X) if isinstance(X, Scan) else X
            if reset:
                self.n_features_in_ = matrix.n_pixels
            else:
                self._check_pixels(matrix.n_pixels)
            return matrix
        # what is not in memory is checked as it is read: the first pass refuses what is negative or not finite
        mapped = mapping_of(X) is not None and X.ndim == 2 and X.dtype.kind in "uif"
        if not (is_lazy(X) or mapped):
            integers = isinstance(X, np.ndarray) and X.dtype.kind in "ui"
            X = validate_data(
                self, X, reset=reset, accept_sparse="csr",
                dtype=None if integers else [np.float64, np.float32],
            )  # fmt: skip
            if not (integers and X.dtype.kind == "u"):
                check_non_negative(X, "NMF")
        elif reset:
            self.n_features_in_ = int(X.shape[1])
        else:
            self._check_pixels(int(X.shape[1]))
        local = [c.name for c in self.constraints if getattr(c, "local", False) and c.side == "maps"]
        if local and self.scan_shape is None:
            raise InputError(
                f"constraint {local[0]}",
                expected="to know which rows are neighbours",
                got="a plain table without scan_shape",
                hint="fit a Scan, or give NMF(scan_shape=(ny, nx))",
            )
        return Matrix.from_array(X, scan_shape=self.scan_shape, pattern_shape=self.pattern_shape)
