"""Phantoms that open like files: ``demo:glass?scan=64x64&dose=40000&seed=1``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from unmixel.core.errors import InputError, ScanShapeError

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.dataset.truth import Truth
    from unmixel.io.contract import ReadOptions

PREFIX = "demo:"
_CHUNK_BYTES = 16_000_000


def parse(address: str) -> tuple[str, dict[str, str]]:
    """Return the phantom's name and its keys as text.

    Parameters
    ----------
    address : str
        ``demo:NAME?key=value&key=value``.

    Raises
    ------
    InputError
        When the address is not of that form or a key stands twice.

    Examples
    --------
    >>> parse("demo:glass?scan=64x64&dose=3000")
    ('glass', {'scan': '64x64', 'dose': '3000'})
    """
    example = "write e.g. demo:glass?scan=64x64&dose=40000&seed=1"
    if not address.startswith(PREFIX):
        raise InputError(
            "phantom", expected=f"an address that starts with {PREFIX}", got=repr(address), hint=example
        )
    name, _, query = address[len(PREFIX) :].partition("?")
    keys: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        word, equals, value = part.partition("=")
        if not equals or word in keys:
            what = "twice the same key" if word in keys else repr(part)
            raise InputError("phantom", expected="each key once, as key=value", got=what, hint=example)
        keys[word] = value
    return name, keys


@dataclass(frozen=True)
class _Phantom:
    """A scan whose data may still be undrawn, and its truth."""

    scan: Scan
    truth: Truth


def _lazy(truth: Truth, *, seed: int, gain: float, **fields: Any) -> _Phantom:
    """Return a scan that counts when it is read, in chunks of square tiles of positions."""
    from unmixel.dataset.scan import Scan
    from unmixel.engines.lazy import wrap
    from unmixel.io.counting import Counting

    counts = Counting(truth, seed=seed, gain=gain)
    n_scan = len(truth.scan_axes)
    frame = max(1, truth.patterns[0].size * counts.dtype.itemsize)
    side = max(1, int((_CHUNK_BYTES / frame) ** (1 / n_scan)))
    chunks = (
        *(min(side, axis.size) for axis in truth.scan_axes),
        *(axis.size for axis in truth.pattern_axes),
    )
    return _Phantom(Scan(wrap(counts, chunks), truth.scan_axes, truth.pattern_axes, **fields), truth)


def _glass(keys: dict[str, str]) -> _Phantom:
    from unmixel.io.demo_keys import from_keys
    from unmixel.io.glass import GlassSpec, glass_truth

    spec = from_keys(GlassSpec, keys, address="demo:glass")
    return _lazy(glass_truth(spec), seed=spec.seed, gain=spec.gain, instrument=spec.instrument)


def _planted(keys: dict[str, str]) -> _Phantom:
    from dataclasses import replace

    from unmixel.engines.lazy import wrap
    from unmixel.io.demo_keys import from_keys
    from unmixel.io.planted import PlantedSpec, planted_cube

    scan, truth = planted_cube(from_keys(PlantedSpec, keys, address="demo:planted"))
    return _Phantom(replace(scan, data=wrap(scan.data, (20, 20, 40, 40))), truth)


def _spectrum(keys: dict[str, str]) -> _Phantom:
    from unmixel.dataset.scan import Instrument
    from unmixel.io.demo_keys import from_keys
    from unmixel.io.planted import SpectrumSpec, spectrum_truth

    spec = from_keys(SpectrumSpec, keys, address="demo:spectrum")
    instrument = Instrument(voltage_kV=200.0, microscope="phantom", detector="energy-dispersive")
    return _lazy(spectrum_truth(spec), seed=spec.seed, gain=1.0, instrument=instrument)


_PHANTOMS = {"glass": _glass, "planted": _planted, "spectrum": _spectrum}


def phantom(address: str) -> tuple[Scan, Truth]:
    """Return the lazy scan of a phantom and its truth.

    Parameters
    ----------
    address : str
        ``demo:glass``, ``demo:planted`` or ``demo:spectrum`` with keys; see `unmixel.io.demo_keys.describe`.

    Raises
    ------
    InputError
        At an unknown phantom or key, or a value out of range.

    Examples
    --------
    >>> scan, truth = phantom("demo:glass?scan=13x29&detector=31x26&precipitates=2")
    >>> scan.scan_shape, truth.n_components
    ((13, 29), 4)
    """
    from dataclasses import replace

    from unmixel.dataset.record import Source

    name, keys = parse(address)
    if name not in _PHANTOMS:
        near = difflib.get_close_matches(name, _PHANTOMS, n=1)
        raise InputError(
            "phantom",
            expected=f"one of {', '.join(PREFIX + known for known in _PHANTOMS)}",
            got=repr(PREFIX + name),
            hint=f"did you mean '{PREFIX}{near[0]}'?" if near else "",
        )
    made = _PHANTOMS[name](keys)
    source = Source(
        path=address, format="phantom", reader="demo", scan_shape_from="the address of the phantom"
    )
    scan = replace(made.scan, source=source, original_metadata={"phantom": dict(made.truth.settings)})
    return scan, made.truth


class DemoReader:
    """Reads ``demo:`` addresses: phantoms whose truth is known, drawn lazily."""

    name: ClassVar[str] = "demo"

    def accepts(self, path: str) -> bool:
        """Return whether `path` is a demo address."""
        return path.startswith(PREFIX)

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the phantom's scan; its truth stays behind (`unmixel.testing.phantoms.truth_of`).

        Raises
        ------
        InputError
            At an unknown phantom or key, a value out of range, or options that a phantom does not take.
        """
        if options.dataset is not None:
            raise InputError(
                "dataset",
                expected="none, a phantom holds one scan",
                got=repr(options.dataset),
                hint="leave it out",
            )
        scan, _ = phantom(path)
        if options.scan_shape is not None and tuple(options.scan_shape) != scan.scan_shape:
            raise ScanShapeError(
                "scan_shape",
                expected=f"the shape in the address {scan.scan_shape}",
                got=f"{tuple(options.scan_shape)}",
                hint="write the shape into the address, e.g. demo:glass?scan=64x64",
            )
        return scan
