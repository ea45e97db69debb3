"""Every registered reader keeps the laws, on a small non-square file of its format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.record import Source
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.testing.readers import Example, ReaderLaws, example_of

SHAPE = (5, 9, 31, 26)
COUNTS = np.random.default_rng(3).poisson(4.0, SHAPE).astype(np.uint16)


def hdf5(folder: Path) -> Example:
    import h5py

    with h5py.File(folder / "scan.h5", "w") as file:
        file.create_dataset("group/frames", data=COUNTS, chunks=(1, 3, 31, 26))
    return Example(str(folder / "scan.h5"), COUNTS)


def rosetta(folder: Path) -> Example:
    import h5py

    with h5py.File(folder / "scan.hspy", "w") as file:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.1"})
        group = file.create_group("Experiments/scan")
        group.create_dataset("data", data=COUNTS, chunks=(2, 3, 31, 26))
        group.create_group("metadata/General").attrs["title"] = "scan"
        group.create_group("metadata/Signal").attrs["signal_type"] = "electron_diffraction"
        group.create_group("original_metadata")
        for index, (size, unit) in enumerate(zip(SHAPE, ("nm", "nm", "1/nm", "1/nm"), strict=True)):
            told = {"name": "yxvu"[index], "navigate": index < 2, "scale": 2.0, "offset": 0.0}
            group.create_group(f"axis-{index}").attrs.update({**told, "size": size, "units": unit})
    return Example(str(folder / "scan.hspy"), COUNTS)


def topspin(folder: Path) -> Example:
    import h5py

    def calibration(name: str, scale: float) -> str:
        return f"<{name}><Offset>0</Offset><Scale>{scale}</Scale><Type><Text>Angle</Text></Type></{name}>"

    with h5py.File(folder / "scan.app5", "w") as file:
        file["Metadata"] = np.bytes_(b"<?xml version='1.0'?><Metadata/>")
        group = file.create_group("18d9446f-22bf-4fb1-8d13-338174e75d20")
        for index, frame in enumerate(COUNTS.reshape(-1, 31, 26)):
            y, x = divmod(index, 9)
            where = f"<Y>{y * 3e-9}</Y><X>{x * 2e-9}</X>"
            text = (
                f"<?xml version='1.0' encoding='utf-16'?><Metadata><Calibration>{calibration('X', 1e-4)}"
                f"{calibration('Y', 2e-4)}</Calibration><Metadata><Item>"
                f"<Value Serializer='ImagePositionSerializer'>{where}</Value></Item></Metadata></Metadata>"
            )
            group[f"{index}/Data"] = frame
            group[f"{index}/Metadata"] = np.bytes_(text.encode())
    return Example(str(folder / "scan.app5"), COUNTS)


def velox(folder: Path) -> Example:
    import json

    import h5py

    counts = np.random.default_rng(3).poisson(0.2, (5, 9, 31)).astype(np.uint16)
    stream = []
    for spectrum in counts.reshape(-1, 31):
        stream += [*np.repeat(np.arange(31), spectrum), 65535]
    told = {
        "Scan": {"ScanSize": {"width": "9", "height": "5"}},
        "BinaryResult": {
            "Detector": "X",
            "PixelSize": {"width": "2e-9", "height": "2e-9"},
            "PixelUnitX": "m",
            "PixelUnitY": "m",
        },
    }
    with h5py.File(folder / "scan.emd", "w") as file:
        group = file.create_group("Data/SpectrumStream/1")
        group["Data"] = np.array(stream, np.uint16)[:, None]
        group["Metadata"] = np.frombuffer(json.dumps(told).encode() + b"\x00", np.uint8)[:, None]
        text = h5py.string_dtype()
        group.create_dataset("AcquisitionSettings", data=['{"bincount": "31"}'], dtype=text)
    return Example(str(folder / "scan.emd"), counts)


def zarr(folder: Path) -> Example:
    import zarr

    array = zarr.create_array(str(folder / "scan.zarr"), shape=SHAPE, chunks=(2, 4, 31, 26), dtype="uint16")
    array[:] = COUNTS
    return Example(str(folder / "scan.zarr"), COUNTS)


def shipped(name: str) -> Callable[[Path], Example]:
    def write(folder: Path) -> Example:
        example = example_of(registry.load("readers", name)(), folder)
        assert example is not None
        return example

    return write


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "converted": shipped("converted"),
    "demo": shipped("demo"),
    "hdf5": hdf5,
    "mat": shipped("mat"),
    "npz": shipped("npz"),
    "rosetta": rosetta,
    "topspin": topspin,
    "velox": velox,
    "zarr": zarr,
}


@pytest.mark.parametrize("law", ReaderLaws.names())
@pytest.mark.parametrize("name", registry.names("readers"))
def test_reader_keeps_the_law(name: str, law: str, tmp_path: Path) -> None:
    assert name in EXAMPLES, f"write a function that makes a small file for the reader '{name}'"
    ReaderLaws(registry.load("readers", name)(), EXAMPLES[name](tmp_path)).check(law)


def test_all_our_readers_are_registered() -> None:
    assert set(EXAMPLES) <= set(registry.names("readers"))


@dataclass(frozen=True)
class Good:
    """A reader to be spoiled: it wants files that end in good."""

    name: ClassVar[str] = "good"
    __module__ = "unmixel.io.contract"

    def accepts(self, path: str) -> bool:
        return path.endswith(".good")

    def read(self, path: str, options) -> Scan:
        if options.dataset:
            raise InputError("dataset", expected="none", got=options.dataset, hint="leave it out")
        source = Source(path, "good format", "good 1.0", "the file itself")
        return replace(Scan.from_array(wrap(COUNTS.copy(), (2, 9, 31, 26))), source=source)


class Heavy(Good):
    __module__ = "h5py"


class Eager(Good):
    def read(self, path: str, options) -> Scan:
        scan = super().read(path, options)
        return replace(scan, data=np.asarray(scan.data))


class Greedy(Good):
    def accepts(self, path: str) -> bool:
        return True


class Forgetful(Good):
    def read(self, path: str, options) -> Scan:
        return replace(super().read(path, options), source=Source())


class Careless(Good):
    def read(self, path: str, options) -> Scan:
        return super().read(path, type(options)())


class Wrong(Good):
    def read(self, path: str, options) -> Scan:
        scan = super().read(path, options)
        return replace(scan, data=scan.data + np.uint16(1))


class Foreign(Good):
    def read(self, path: str, options) -> Scan:
        scan = super().read(path, options)
        return replace(scan, scan_axes=tuple(replace(axis, unit="um") for axis in scan.scan_axes))


class Bringing(Good):
    def example(self, folder: Path) -> Example:
        (folder / "a.good").touch()
        return Example(str(folder / "a.good"), COUNTS)


class Misleading(Good):
    def example(self, folder: Path) -> str:
        return "a.good"


def test_a_reader_may_bring_its_own_example(tmp_path: Path) -> None:
    example = example_of(Bringing(), tmp_path)
    assert example is not None
    assert Path(example.path).is_file()
    ReaderLaws(Bringing(), example).check("values")
    with pytest.raises(AssertionError, match=r"'a\.good', not an Example"):
        example_of(Misleading(), tmp_path)
    assert example_of(Good(), tmp_path) is None


@pytest.mark.parametrize("name", ["hdf5", "rosetta", "zarr"])
def test_a_store_of_ours_is_an_example_too(name: str, tmp_path: Path) -> None:
    reader = registry.load("readers", name)()
    example = example_of(reader, tmp_path)
    assert example is not None
    ReaderLaws(reader, example).check("values")


def test_the_good_reader_keeps_all_laws() -> None:
    for law in ReaderLaws.names():
        ReaderLaws(Good(), Example("a.good", COUNTS)).check(law)


@pytest.mark.parametrize(
    ("reader", "law"),
    [
        (Heavy, "light_import"),
        (Eager, "lazy"),
        (Greedy, "accepts"),
        (Forgetful, "provenance"),
        (Careless, "refuses"),
        (Wrong, "values"),
        (Foreign, "axes"),
    ],
)
def test_a_spoiled_reader_is_caught(reader: type[Good], law: str) -> None:
    with pytest.raises(AssertionError):
        ReaderLaws(reader(), Example("a.good", COUNTS)).check(law)
