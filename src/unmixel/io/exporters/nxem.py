"""NeXus for electron microscopy: the result as an NXem entry that validators accept and viewers plot."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, ClassVar

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.dataset.about import About
from unmixel.dataset.record import is_simulated
from unmixel.dataset.result import Result
from unmixel.io.atomic import replacing
from unmixel.io.exporters.contract import Parcel
from unmixel.io.exporters.nxem_data import write_processes
from unmixel.io.nexus import make, put, text, to_json

NOT_KNOWN = "not known"
"""Stands where NXem demands a word that nobody has said."""


class NxemExporter:
    """One NeXus file that follows the application definition NXem.

    ``entry/roi1`` holds a process for each stage of the run, the maps of the components as default plot.
    NXem demands a few facts that no run can know: when the measurement began, when the sample was prepared
    (both with time and zone) and which elements it holds. They come from `About`; an export without them is
    refused. For simulated data both moments are the beginning of the run, which made the sample. Vendor and
    model of the microscope, which NXem demands too, are ``not known`` unless they are given.
    """

    name: ClassVar[str] = "nxs"
    suffix: ClassVar[str] = ".nxs"

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the parcel; see `Exporter.write`."""
        import h5py

        began, prepared = _moments(parcel)
        result, about = parcel.result, parcel.about
        with replacing(target) as draft, h5py.File(draft, "w") as file:
            file.attrs["NX_class"] = "NXroot"
            file.attrs["default"] = "entry"
            file.attrs["creator"] = "unmixel"
            entry = make(file, "entry", "NXentry", default="roi1")
            text(entry, "definition", "NXem")
            text(entry, "title", about.title or parcel.name)
            text(entry, "experiment_alias", parcel.name)
            if about.description:
                text(entry, "experiment_description", about.description)
            text(entry, "start_time", began)
            _write_people(entry, about)
            _write_sample(entry, parcel, prepared)
            if is_simulated(result.record):
                _write_simulation(entry, result)
            else:
                _write_measurement(entry, result, about)
                _write_source(entry, result)
            _write_papers(entry, parcel)
            _write_programs(entry, result)
            roi = make(entry, "roi1", "NXroi_process", default="factorisation")
            write_processes(roi, result)

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what pynxtools finds wrong, and whether silx finds no default plot; see `Exporter.check`."""
        import h5py

        if not h5py.is_hdf5(target):  # pynxtools would end in an error
            return ("it is no HDF5 file",)
        return (*_complaints(target), *_without_plot(target))


def _moments(parcel: Parcel) -> tuple[str, str]:
    """Return when the measurement began and when the sample was prepared.

    Raises
    ------
    InputError
        When NXem demands what nobody said.
    """
    about, sample = parcel.about, parcel.about.sample
    given = {"measured": about.measured, "sample: prepared": sample.prepared}
    if is_simulated(parcel.result.record):
        began = str(parcel.result.record.get("started", ""))
        given = {name: said or began for name, said in given.items()}
    lacking = [f"'{name}' (a date with time and zone)" for name, moment in given.items() if "T" not in moment]
    if not sample.elements:
        lacking.append("'sample: elements' (such as [Zr, Cu, Al])")
    if lacking:
        raise InputError(
            "export to NXem",
            expected="what this definition demands of every file: measured, sample: prepared, sample: elements",
            got=f"nothing said of {', '.join(lacking)}",
            hint="write these facts into a YAML file and give it with --about; without them share result.nxs",
        )
    began, prepared = given.values()
    return began, prepared


def _write_people(entry: Any, about: About) -> None:
    for number, person in enumerate(about.authors, start=1):
        user = make(entry, f"user{number}", "NXuser")
        text(user, "name", person.name)
        if person.affiliation:
            text(user, "affiliation", person.affiliation)
        if person.orcid:
            text(user, "identifier_orcid", f"https://orcid.org/{person.orcid}")
            user["identifier_orcid"].attrs["type"] = "ORCID"


def _write_sample(entry: Any, parcel: Parcel, prepared: str) -> None:
    sample, group = parcel.about.sample, make(entry, "sample", "NXsample")
    put(group, "is_simulation", is_simulated(parcel.result.record))
    text(group, "preparation_date", prepared)
    text(group, "atom_types", ",".join(sample.elements))
    if sample.name:
        text(group, "name", sample.name)
    if sample.description:
        text(group, "description", sample.description)


def _instrument(result: Result) -> Mapping[str, Any]:
    """Return what the data card knows of the microscope; nothing where it knows nothing."""
    known = result.card.values.get("instrument") if result.card is not None else None
    found = known if isinstance(known, Mapping) else {}
    return {name: value for name, value in found.items() if value is not None}


def _write_measurement(entry: Any, result: Result, about: About) -> None:
    """Write the microscope and how it was set, as far as either is known."""
    known, maker = _instrument(result), about.microscope
    if not known and not (maker.vendor or maker.model):
        return
    measurement = make(entry, "measurement", "NXem_measurement")
    instrument = make(measurement, "instrument", "NXem_instrument")
    if "microscope" in known:
        text(instrument, "name", str(known["microscope"]))
    fabrication = make(instrument, "fabrication", "NXfabrication")
    text(fabrication, "vendor", maker.vendor or NOT_KNOWN)
    text(fabrication, "model", maker.model or NOT_KNOWN)
    make(instrument, "ebeam_column", "NXebeam_column")
    if "detector" in known:
        text(make(instrument, "detector1", "NXdetector"), "name", str(known["detector"]))
    settings = make(make(measurement, "event1", "NXem_event_data"), "instrument", "NXem_instrument")
    column = make(settings, "ebeam_column", "NXebeam_column")
    if "voltage_kV" in known:
        put(make(column, "electron_source", "NXsource"), "voltage", 1e3 * known["voltage_kV"], units="V")
    if "dwell_s" in known:
        scan = make(column, "scan_controller", "NXscan_controller")
        text(scan, "scan_schema", NOT_KNOWN)
        put(scan, "dwell_time", known["dwell_s"], units="s")
    optics = {
        "camera_length": ("camera_length_mm", "mm"),
        "semi_convergence_angle": ("convergence_mrad", "mrad"),
        "probe_current": ("current_pA", "pA"),
    }
    if any(source in known for source, _ in optics.values()):
        group = make(settings, "optics", "NXem_optical_system")
        for name, (source, unit) in optics.items():
            if source in known:
                put(group, name, known[source], units=unit)


def _write_simulation(entry: Any, result: Result) -> None:
    """Write which program made the data and how."""
    simulation = make(entry, "simulation", "NXem_simulation")
    program = make(simulation, "program1", "NXprogram")
    _write_program(program, "unmixel", _versions(result).get("unmixel", ""))
    config = make(simulation, "config", "NXparameters")
    text(config, "address", str(_input(result).get("path", "")))
    for name, value in _instrument(result).items():
        put(config, name, value) if not isinstance(value, str) else text(config, name, value)


def _input(result: Result) -> Mapping[str, Any]:
    found = result.record.get("input")
    return found if isinstance(found, Mapping) else {}


def _versions(result: Result) -> Mapping[str, str]:
    found = result.record.get("versions")
    return found if isinstance(found, Mapping) else {}


def _write_source(entry: Any, result: Result) -> None:
    """Write which file the scan was read from, without its folders."""
    given = _input(result)
    path = str(given.get("path", "memory"))
    if path == "memory":
        return
    note = make(entry, "note1", "NXnote")
    text(note, "type", str(given.get("format", "")))
    text(note, "file_name", PurePath(path.replace("\\", "/")).name)
    if given.get("sha256"):
        text(note, "checksum", str(given["sha256"]))
        text(note, "algorithm", f"SHA-256 of {given.get('covers', 'the file')}")


def _write_papers(entry: Any, parcel: Parcel) -> None:
    with_doi = (paper for paper in parcel.references if paper.doi)  # NXem cites by DOI alone
    for number, paper in enumerate(with_doi, start=1):
        group = make(entry, f"cite{number}", "NXcite")
        text(group, "author", ", ".join(name.strip("{}") for name in paper.authors))
        text(group, "doi", paper.doi)
        text(group, "description", paper.text)
        text(group, "bibtex", paper.bibtex)


def _write_programs(entry: Any, result: Result) -> None:
    """Write versions of the programs that numbers may depend on, and the recipe."""
    versions = {name: version for name, version in _versions(result).items() if name != "platform"}
    if versions:
        profiling = make(entry, "profiling", "NXcs_profiling")
        for number, (name, version) in enumerate(versions.items(), start=1):
            _write_program(make(profiling, f"program{number}", "NXprogram"), name, version)
    if result.recipe:
        parameters = make(entry, "recipe", "NXparameters")
        for section, values in result.recipe.items():
            text(parameters, str(section), to_json(values))


def _write_program(group: Any, name: str, version: str) -> None:
    text(group, "program", name)
    group["program"].attrs["version"] = str(version)


@contextmanager
def _heard(logger: logging.Logger) -> Iterator[list[str]]:
    """Collect warnings and errors of a logger instead of printing them."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener, before = Listener(logging.WARNING), (logger.handlers[:], logger.propagate)
    logger.handlers, logger.propagate = [listener], False
    try:
        yield said
    finally:
        logger.handlers, logger.propagate = before


def _complaints(target: Path) -> tuple[str, ...]:
    """Return warnings and errors of ``pynx validate``."""
    try:
        from pynxtools.dataconverter.validate_file import validate
    except ImportError as error:
        raise MissingExtraError("pynxtools", extra="fair", purpose="Checking a NXem file") from error
    with _heard(logging.getLogger("pynxtools")) as said:
        validate(str(target))
    return tuple(said)


def _without_plot(target: Path) -> tuple[str, ...]:
    """Return a complaint where viewers find nothing to plot by default."""
    try:
        import silx.io
        from silx.io.nxdata import get_default
    except ImportError as error:
        raise MissingExtraError("silx", extra="fair", purpose="Checking the default plot") from error
    with silx.io.open(str(target)) as file:
        found = get_default(file)
        if found is None or not found.is_valid:
            return ("There is no default plot: the chain of 'default' from the root leads to no NXdata.",)
    return ()
