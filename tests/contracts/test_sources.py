"""Every registered source keeps the laws; a spoiled one is caught."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from unmixel.acquire.contract import Frames
from unmixel.acquire.sources.replay import FileSource, Replay
from unmixel.core import registry
from unmixel.testing.sources import Emitter, SourceLaws, emitter_of

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "acquire"))
import dectris_on_wire
from merlin_on_wire import Merlin, frame, heading

RNG = np.random.default_rng(0)
VALUES = RNG.poisson(3.0, (30, 9, 13)).astype(np.uint16)


def emitter(name: str, tmp_path: Path) -> Emitter:
    if name == "dectris":

        @contextmanager
        def push(n_sent: int) -> Iterator[str]:
            with dectris_on_wire.Dectris(dectris_on_wire.series(VALUES, range(n_sent))).pushing() as address:
                yield address

        return Emitter(VALUES, push, "dectris:127.0.0.1:1")

    if name == "merlin":

        @contextmanager
        def start(n_sent: int) -> Iterator[str]:
            sent = [heading(len(VALUES)), *(frame(i, VALUES[i]) for i in range(n_sent))]
            with Merlin(sent).listening() as address:
                yield address

        return Emitter(VALUES, start, "merlin:127.0.0.1:1")
    found = emitter_of(registry.load("sources", name)(), tmp_path)
    assert found is not None
    return found


@pytest.mark.parametrize("law", SourceLaws.names())
@pytest.mark.parametrize("name", ["dectris", "file", "merlin"])
def test_source_keeps_the_law(name: str, law: str, tmp_path: Path) -> None:
    SourceLaws(registry.load("sources", name)(), emitter(name, tmp_path)).check(law)


def test_all_our_sources_are_registered() -> None:
    assert set(registry.names("sources")) >= {"dectris", "file", "merlin"}


class Reusing(FileSource):
    def connect(self, address, *, timeout_s):
        stream = super().connect(address, timeout_s=timeout_s)
        return Overwriting(stream.heading, stream.scan, n_sent=stream.n_sent)


class Overwriting(Replay):
    def frames(self):
        held = np.zeros((1, *self.scan.pattern_shape), self.scan.data.dtype)
        for part in super().frames():
            for number, values in zip(part.numbers, part.values, strict=True):
                held[0] = values
                yield Frames(np.array([number]), held)


class Counting(FileSource):
    def connect(self, address, *, timeout_s):
        stream = super().connect(address, timeout_s=timeout_s)
        return FromOne(stream.heading, stream.scan, n_sent=stream.n_sent)


class FromOne(Replay):
    def frames(self):
        for part in super().frames():
            yield Frames(part.numbers + 1, part.values)


@pytest.mark.parametrize(
    ("kind", "law"), [(Reusing, "own_memory"), (Counting, "frames"), (Counting, "contract")]
)
def test_a_spoiled_source_is_caught(kind: type, law: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        SourceLaws(kind(), emitter("file", tmp_path)).check(law)
