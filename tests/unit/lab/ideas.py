"""Ideas for tests: one that is good, and what is wrong with others."""

from __future__ import annotations

from unmixel.lab.idea import Idea

FRAME = """\
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Frame:
    width: int = 1
    side: str = "patterns"
    name: ClassVar[str] = "rim_of_test"

    def bind(self, context):
        inside = np.zeros(context.grid.shape)
        inside[tuple(slice(self.width, s - self.width) for s in context.grid.shape)] = 1
        return Bound(context.engine.xp, context.engine.asarray(inside, context.dtype))


@dataclass(frozen=True, eq=False)
class Bound:
    xp: Any
    inside: Any
    kind: ClassVar[str] = "proximal"
    degree: ClassVar[int] = 0

    def prox(self, z, step):
        return z * self.inside

    def value(self, z):
        return self.xp.sum(z * 0, axis=tuple(range(1, z.ndim)))

    def violation(self, z):
        return float(self.xp.max(self.xp.abs(z - z * self.inside)))
"""

PROX = "        return z * self.inside\n"
PROX_LINE = FRAME[: FRAME.index(PROX)].count("\n") + 1


def frame(prox: str = "return z * self.inside", **parameters: object) -> Idea:
    """Return the idea with another body of its prox."""
    return Idea("frame.py", FRAME.replace(PROX, f"        {prox}\n"), parameters=parameters)


def step(body: str, *, head: str = "") -> Idea:
    """Return a step whose apply has a body; `scan` is what came in."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return Idea(
        "step.py",
        f"""\
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from unmixel.prepare.contract import recorded

{head}


@dataclass(frozen=True)
class Mine:
    name: ClassVar[str] = "step_of_test"

    def apply(self, scan):
{lines}

    def done(self, scan, data):
        return replace(scan, data=data, history=(*scan.history, recorded(self, "Did something to it.")))
""",
    )
