"""The laws of a constraint: every registered one is held to them, and third parties can hold theirs.

for law in ConstraintLaws.names():
    ConstraintLaws(MyConstraint(...), Grid((13, 29), (1.0, 1.0))).check(law)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.dataset.matrix import Grid
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.contracts import Constraint, Context
from unmixel.factorize.model import settings_of
from unmixel.testing.laws import Laws


def context(grid: Grid, engine: Any, dtype: str, *, n_components: int = 3, masked: bool = True) -> Context:
    """Return a context with weights that differ from sample to sample, some of them 0.

    Parameters
    ----------
    grid : Grid
    engine : Engine
    dtype : str
    n_components : int
    masked : bool
        Whether some weights are 0.
    """
    weights = 0.5 + np.random.default_rng(7).random(grid.shape)
    if masked:
        weights.reshape(-1)[:: max(5, grid.size // 7)] = 0.0
    return Context(grid, n_components, engine, dtype, weights, noise=lambda: 1.3, gain=0.7)


@dataclass(frozen=True)
class ConstraintLaws(Laws):
    """Laws that a constraint must keep on a grid, with one engine against the numpy reference.

    Parameters
    ----------
    constraint : Constraint
    grid : Grid
        Any grid that the constraint can be bound to.
    engine : Engine
        numpy, torch, ...

    Examples
    --------
    >>> from unmixel.factorize.constraints.sparse import Sparse
    >>> laws = ConstraintLaws(Sparse(1.0), Grid((4, 5), (1.0, 1.0)))
    >>> [laws.check(law) for law in ConstraintLaws.names()][0] is None
    True
    """

    constraint: Constraint
    grid: Grid
    engine: Any = field(default_factory=NumpyEngine)

    def _bound(self, dtype: str = "float64", engine: Any = None) -> Any:
        return self.constraint.bind(context(self.grid, engine or self.engine, dtype))

    def _put(self, values: Any) -> Any:
        return self.engine.asarray(values, "float64")

    def _sample(self, seed: int, *, low: float = 0.0) -> NDArray[np.float64]:
        return np.random.default_rng(seed).uniform(low, 1.0, (3, *self.grid.shape))

    def _operations(self) -> dict[str, Any]:
        """Return every operation of the bound constraint as a function of (bound, array, engine)."""

        def step(z: Any) -> Any:
            return z[:, ...] * 0 + 0.3

        table = {
            "linear": {"forward": lambda b, z: b.forward(z), "adjoint": lambda b, z: b.adjoint(z)},
            "proximal": {"prox": lambda b, z: b.prox(z, step(z)), "value": lambda b, z: b.value(z)},
            "smooth": {"value": lambda b, z: b.value(z), "gradient": lambda b, z: b.gradient(z)},
        }
        return table[self._bound().kind]

    def law_is_a_frozen_plug_in(self) -> None:
        """A frozen dataclass with a registered name and a side."""
        plug_in: Any = self.constraint
        kind: Any = type(plug_in)
        assert is_dataclass(kind), "write it as a dataclass"
        assert getattr(kind, "__dataclass_params__").frozen, "freeze it: @dataclass(frozen=True)"  # noqa: B009
        assert isinstance(plug_in, Constraint)
        assert plug_in.side in ("maps", "patterns")
        registered = plug_in.name in registry.names("constraints")
        assert not registered or registry.load("constraints", plug_in.name) is type(plug_in)

    def law_round_trips_through_a_record(self) -> None:
        """Its settings are JSON, and equal parameters make an equal operator."""
        json.dumps(settings_of(self.constraint))
        plug_in: Any = self.constraint
        twin = type(plug_in)(**{item.name: getattr(plug_in, item.name) for item in fields(plug_in)})
        z = self.engine.asarray(self._sample(0), "float64")
        bound, again = self._bound(), twin.bind(context(self.grid, self.engine, "float64"))
        for operation in self._operations().values():
            assert np.array_equal(
                self.engine.to_host(operation(bound, z)), self.engine.to_host(operation(again, z))
            )

    def law_keeps_input_dtype_and_shape(self) -> None:
        """Input untouched; dtype, shape and device kept."""
        for dtype in ("float32", "float64"):
            bound = self._bound(dtype)
            for name, operation in self._operations().items():
                z = self.engine.asarray(self._sample(1, low=-1.0), dtype)
                before = self.engine.to_host(z).copy()
                result = operation(bound, z)
                assert np.array_equal(self.engine.to_host(z), before), f"{name} changed its input"
                assert result.dtype == z.dtype, f"{name}: {dtype} became {result.dtype}"
                wanted = (3,) if name == "value" else tuple(z.shape)
                assert tuple(result.shape) == wanted, f"{name}: shape {tuple(result.shape)}, not {wanted}"
                assert str(result.device) == str(z.device), f"{name} left the device"

    def law_finite(self) -> None:
        """Finite numbers come out of finite numbers, whatever their sign."""
        z = self._put(self._sample(14, low=-1.0))
        for name, operation in self._operations().items():
            result = self.engine.to_host(operation(self._bound(), z))
            wrong = np.argwhere(~np.isfinite(result))
            assert not len(wrong), (
                f"{name} gave {len(wrong)} of {result.size} values that are NaN or infinite, the first at "
                f"{wrong[0].tolist()}"
            )

    def law_float32_agrees_with_float64(self) -> None:
        """Single precision gives the same numbers to its own accuracy."""
        sample = self._sample(2, low=-1.0)
        for name, operation in self._operations().items():
            single, double = (
                self.engine.to_host(operation(self._bound(dtype), self.engine.asarray(sample, dtype)))
                for dtype in ("float32", "float64")
            )
            np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-5, err_msg=name)

    def law_agrees_with_numpy(self) -> None:
        """Every engine gives the numbers of the numpy reference."""
        sample, reference = self._sample(3, low=-1.0), NumpyEngine()
        for name, operation in self._operations().items():
            here = operation(self._bound(), self.engine.asarray(sample, "float64"))
            there = operation(self._bound(engine=reference), reference.asarray(sample, "float64"))
            np.testing.assert_allclose(self.engine.to_host(here), there, rtol=1e-9, atol=1e-11, err_msg=name)

    def law_linear(self) -> None:
        """``<A z, f> = <z, A' f>``, forward is affine, A has no negative entry."""
        bound = self._bound()
        if bound.kind != "linear":
            return
        host, put = self.engine.to_host, self._put
        z, other, f = (self._sample(seed) for seed in (4, 5, 6))
        zero = host(bound.forward(put(0 * z)))
        az = host(bound.forward(put(z))) - zero
        np.testing.assert_allclose(np.sum(az * f), np.sum(z * host(bound.adjoint(put(f)))), rtol=1e-9)
        both = host(bound.forward(put(2 * z + 3 * other))) - zero
        np.testing.assert_allclose(both, 2 * az + 3 * (host(bound.forward(put(other))) - zero), atol=1e-9)
        assert zero.min() >= 0, "the constant part has negative values"
        impulse = np.zeros_like(z)
        middle: Any = (slice(None), *(size // 2 for size in self.grid.shape))
        impulse[middle] = 1.0
        for operation in (bound.forward, bound.adjoint):
            assert host(operation(put(impulse))).min() > -1e-12, "A has a negative entry"

    def law_proximal(self) -> None:
        """Feasible result, firm non-expansiveness, optimality; a set: projecting twice changes nothing."""
        bound = self._bound()
        if bound.kind != "proximal":
            return
        host, put = self.engine.to_host, self._put
        a, b = self._sample(8, low=-1.0), self._sample(9, low=-1.0)
        step = 0.4
        pa, pb = (host(bound.prox(put(x), put(np.full((3,) + (1,) * (a.ndim - 1), step)))) for x in (a, b))
        assert bound.violation(put(pa)) <= 1e-9, f"infeasible by {bound.violation(put(pa))}"
        assert np.sum((pa - pb) ** 2) <= np.sum((pa - pb) * (a - b)) + 1e-9, "not firmly non-expansive"
        if bound.degree == 0:
            again = host(bound.prox(put(pa), put(np.full((3,) + (1,) * (a.ndim - 1), step))))
            np.testing.assert_allclose(again, pa, atol=1e-12, err_msg="projecting twice changes the result")

        def cost(u: NDArray[np.float64]) -> float:
            return float(host(bound.value(put(u))).sum() + np.sum((u - a) ** 2) / (2 * step))

        for share in (0.01, 0.3, 1.0):
            near = pa + share * (pb - pa)  # feasible: the set is convex
            assert cost(pa) <= cost(near) + 1e-9, "prox does not minimise its own objective"

    def law_smooth(self) -> None:
        """The gradient is the derivative of the value and no steeper than the curvature."""
        bound = self._bound()
        if bound.kind != "smooth":
            return
        host, put = self.engine.to_host, self._put
        f, direction = self._sample(10), self._sample(11, low=-1.0)
        slope = np.sum(host(bound.gradient(put(f))) * direction)
        small = 1e-5
        up, down = (host(bound.value(put(f + s * small * direction))).sum() for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * small), slope, rtol=1e-5, atol=1e-8)
        change = host(bound.gradient(put(f + direction))) - host(bound.gradient(put(f)))
        limit = bound.curvature * np.linalg.norm(direction)
        assert np.linalg.norm(change) <= limit * (1 + 1e-9) + 1e-12, "steeper than its curvature"

    def law_grows_with_its_degree(self) -> None:
        """``value(c x) = c^degree value(x)``: only so does scale not matter between map and pattern."""
        bound = self._bound()
        if bound.kind == "linear":
            return
        assert bound.degree in ((0, 1) if bound.kind == "proximal" else (1, 2))
        x = self.engine.asarray(self._sample(12), "float64")
        one, three = (self.engine.to_host(bound.value(c * x)) for c in (1.0, 3.0))
        np.testing.assert_allclose(three, 3.0**bound.degree * one if bound.degree else one, rtol=1e-9)

    def law_cut_to_components(self) -> None:
        """Where it offers `cut`, the operator of some components does to them what the whole one does."""
        bound = self._bound()
        if not hasattr(bound, "cut"):
            return
        sample = self._sample(13, low=-1.0)
        for name, operation in self._operations().items():
            whole = self.engine.to_host(operation(bound, self._put(sample)))
            for some in (slice(0, 1), slice(1, 3)):
                part = self.engine.to_host(operation(bound.cut(some), self._put(sample[some])))
                np.testing.assert_allclose(part, whole[some], rtol=1e-12, atol=1e-12, err_msg=name)
