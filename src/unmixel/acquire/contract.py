"""The contract of a source: one class per protocol of a detector, found by the entry point ``unmixel.sources``.

An address is ``NAME:PLACE#key=value&key=value``: the registered name, then what the source understands, such as
``merlin:192.168.1.2:6342`` or ``file:scan.zspy#rate=1000``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from unmixel.core.errors import InputError
from unmixel.core.registry import load, names
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import EMPTY, Instrument

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Heading:
    """What a detector says of an acquisition before its frames come.

    Parameters
    ----------
    pattern_axes : (Axis, Axis)
        Rows v and columns u of a frame.
    dtype : str
        Of the frames as they are handed out, in the byte order of this machine: ``uint16``.
    n_frames : int or None
        Frames of the acquisition; None where the protocol does not say.
    scan_axes : tuple of Axis
        Of the scan as far as the protocol says; empty where it does not.
    form : str
        The protocol in words.
    source : str
        Registered name and version of what reads it.
    instrument : Instrument
    metadata : mapping
        Everything the detector said.
    notes : tuple of str
        What the user should know.
    """

    pattern_axes: tuple[Axis, ...]
    dtype: str
    n_frames: int | None
    scan_axes: tuple[Axis, ...] = ()
    form: str = ""
    source: str = ""
    instrument: Instrument = field(default_factory=Instrument)
    metadata: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    notes: tuple[str, ...] = ()

    @property
    def pattern_shape(self) -> tuple[int, ...]:
        """Shape of a frame."""
        return tuple(axis.size for axis in self.pattern_axes)


@dataclass(frozen=True, eq=False)
class Frames:
    """Some frames that came together.

    Parameters
    ----------
    numbers : ndarray of int64, shape (b,)
        Of each frame in its acquisition, from 0; a number that is left out is a frame that was lost on the way.
    values : ndarray, shape (b, *pattern_shape)
        Owned by whoever receives them: the source does not write to them again.
    """

    numbers: NDArray[np.int64]
    values: NDArray[Any]


@runtime_checkable
class Stream(Protocol):
    """One acquisition on its way.

    Attributes
    ----------
    heading : Heading
        Known once there is a stream.
    """

    heading: Heading

    def frames(self) -> Iterator[Frames]:
        """Yield frames as they come, a few at a time, until the acquisition has ended.

        Raises
        ------
        StreamError
            When it ends early, falls silent or sends what it should not. All whole frames were yielded before.
        """
        ...

    def close(self) -> None:
        """Hang up; may be called from another thread, and more than once: `frames` then ends."""
        ...


@runtime_checkable
class Source(Protocol):
    """Connects to a detector.

    A source is a class without arguments, registered under ``unmixel.sources``. Its module imports nothing heavy at
    the top (libraries are imported in `connect`). What it promises is checked by `unmixel.testing.sources.SourceLaws`.

    Attributes
    ----------
    name : str
        The registered name: the word before the first colon of an address.
    usage : str
        What an address looks like, for help and errors.
    """

    name: ClassVar[str]
    usage: ClassVar[str]

    def connect(self, address: Address, *, timeout_s: float) -> Stream:
        """Return the next acquisition, once the detector has said what it will be.

        Parameters
        ----------
        address : Address
        timeout_s : float, > 0
            Seconds of silence between frames after which the stream counts as broken. To begin, an acquisition has
            all the time: somebody has to press the button first.

        Raises
        ------
        StreamError
            When there is nobody at the address, or it speaks another language.
        InputError
            When the address or its options make no sense.
        """
        ...


@dataclass(frozen=True)
class Address:
    """Where frames come from.

    Parameters
    ----------
    source : str
        Registered name of the source.
    place : str
        What the source understands: host and port, or a file.
    options : mapping of str to str

    Examples
    --------
    >>> Address.of("file:demo:glass?seed=1#rate=500")
    Address(source='file', place='demo:glass?seed=1', options={'rate': '500'})
    """

    source: str
    place: str
    options: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    @classmethod
    def of(cls, text: str) -> Address:
        """Return the address that a text stands for.

        Raises
        ------
        InputError
            When it names no source that is installed.
        """
        name, colon, rest = text.partition(":")
        if not colon or name not in names("sources"):
            raise InputError(
                "SOURCE",
                expected="an address such as " + ", ".join(usages()),
                got=f"'{text}'",
                hint="the word before the first colon says what sends the frames",
            )
        place, _, query = rest.partition("#")
        return cls(name, place, dict(parse_qsl(query, keep_blank_values=True)))

    def number(self, key: str, default: float) -> float:
        """Return an option that is a finite number >= 0.

        Raises
        ------
        InputError
            When it is none.
        """
        text = self.options.get(key)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise InputError(
                f"option {key}", expected="a number >= 0", got=f"'{text}'", hint=f"e.g. #{key}=500"
            )
        return value

    def refuse_others(self, *known: str) -> None:
        """Raise an InputError where an option is given that the source does not know."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise InputError(
                f"options of {self.source}:",
                expected=f"only {', '.join(known)}" if known else "none",
                got=", ".join(unknown),
                hint="options stand behind #, joined by &",
            )


def usages() -> list[str]:
    """Return what addresses look like, one for each source."""
    return [str(load("sources", name).usage) for name in names("sources")]


def connect(text: str, *, timeout_s: float) -> Stream:
    """Return the next acquisition of the detector at an address; parameters as in `Source.connect`."""
    address = Address.of(text)
    source: Source = load("sources", address.source)()
    return source.connect(address, timeout_s=timeout_s)
