"""RO-Crate of a run: the files, and in JSON-LD what was done, with what, from which data, by which licence."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from unmixel.core.errors import MissingExtraError
from unmixel.dataset.about import Person
from unmixel.dataset.record import is_simulated
from unmixel.dataset.result import Result
from unmixel.io.exporters.contract import Parcel

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
"""Process Run Crate 0.5, a profile of RO-Crate 1.1 for programs that ran."""

PROFILE_OF_JUDGE = "process-run-crate"
WHOLE = "the whole file"
"""What the hash in a record covers where it is that of the file."""

CONTEXT = "https://w3id.org/ro/crate/1.1/context"

_MEDIA_TYPES = {
    ".ang": "text/plain",
    ".bib": "application/x-bibtex",
    ".csv": "text/csv",
    ".ctf": "text/plain",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npy": "application/octet-stream",
    ".nxs": "application/x-hdf5",
    ".yaml": "application/yaml",
}

_WORDS = {
    "methods.md": "Methods paragraph of the run, ready to paste",
    "recipe.yaml": "Resolved recipe of the run: it reproduces it",
    "record.json": "Provenance of the run",
    "references.bib": "Papers that the run rests on",
    "report.html": "Report of the run, one page that needs no network",
    "result.nxs": "Everything that the run found, in HDF5/NeXus",
}


class RoCrateExporter:
    """A folder after the profile Process Run Crate: every file of the parcel and ``ro-crate-metadata.json``.

    The run is a ``CreateAction``: its instrument is unmixel, its objects are the recipe and the input with its
    hash and size, its results are all other files with theirs. The input itself is not copied. Authors and
    licence are written where the user gave them (`About`); who started the run is not known and not written.
    """

    name: ClassVar[str] = "rocrate"
    suffix: ClassVar[str] = ""

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the parcel; see `Exporter.write`."""
        try:
            from rocrate.rocrate import ROCrate
        except ImportError as error:
            raise MissingExtraError("rocrate", extra="fair", purpose="Writing a RO-Crate") from error
        crate = ROCrate(version="1.1")
        _describe(crate, parcel)
        recipe, results = None, []
        for file in sorted(path for path in parcel.folder.iterdir() if path.is_file()):
            entity = crate.add_file(file, file.name, properties=_file_facts(file))
            if file.name == "recipe.yaml":
                recipe = entity
            else:
                results.append(entity)
        action = _action(crate, parcel)
        objects = [entity for entity in (recipe, _input(crate, parcel.result)) if entity is not None]
        if objects:
            action["object"] = objects
        action["result"] = results
        crate.root_dataset["mentions"] = action
        crate.write(target)

    def check(self, target: Path) -> tuple[str, ...]:
        """Return which demands of the profile the crate does not meet; see `Exporter.check`.

        The judge is `rocrate_validator` with the profile that it ships, and asks no network: the meaning of terms,
        which is that of RO-Crate 1.1 at w3id.org, is taken from the copy (of version 1.3) in `rocrate`.
        """
        try:
            import rocrate  # noqa: F401
            from rocrate_validator import services
            from rocrate_validator.models import Severity, ValidationSettings
        except ImportError as error:
            raise MissingExtraError(
                "rocrate_validator", extra="fair", purpose="Checking a RO-Crate"
            ) from error
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the judge is built on, about one another
            settings = ValidationSettings(
                rocrate_uri=str(target),
                profile_identifier=PROFILE_OF_JUDGE,
                requirement_severity=Severity.REQUIRED,
                cache_path=Path(folder) / "cache",
                offline=True,
                skip_availability_check=True,
            )
            _hand_over_context()
            issues = services.validate(settings).get_issues(Severity.REQUIRED)
        return tuple(f"{issue.check.identifier}: {issue.message}" for issue in issues)


def _hand_over_context() -> None:
    """Put the context of RO-Crate into the cache from which the judge reads what it would fetch."""
    from requests import Request
    from requests_cache import CachedResponse
    from rocrate_validator.utils.http import HttpRequester

    session = HttpRequester().session
    text = (files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
    headers = {"Content-Type": "application/ld+json"}
    response = CachedResponse(status_code=200, url=CONTEXT, content=text, headers=headers)
    key = session.cache.create_key(Request("GET", CONTEXT).prepare())
    session.cache.save_response(response, key)


def _describe(crate: Any, parcel: Parcel) -> None:
    """Write what the crate is: title, description, day, licence, authors, papers."""
    about, root = parcel.about, crate.root_dataset
    kind = "simulated data" if is_simulated(parcel.result.record) else "a scan"
    crate.name = about.title or f"{parcel.name}: result of unmixel"
    crate.description = about.description or f"What unmixel found in {kind}, with everything to repeat it."
    crate.datePublished = datetime.now(UTC).date().isoformat()
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    root["conformsTo"] = _entity(crate, PROFILE, profile)
    if about.licence:
        properties = {"@type": "CreativeWork", "name": about.licence}
        root["license"] = _entity(crate, about.licence_url, properties)
    else:
        root["license"] = "No licence was given: ask the authors before you use it."
    authors = [_author(crate, number, person) for number, person in enumerate(about.authors, start=1)]
    if authors:
        root["author"] = authors if len(authors) > 1 else authors[0]
    papers = [
        _entity(
            crate,
            f"https://doi.org/{paper.doi}" if paper.doi else f"#{paper.key}",
            {"@type": "ScholarlyArticle", "name": paper.title, "creditText": paper.text},
        )
        for paper in parcel.references
        if paper.kind != "software" or paper.doi
    ]
    if papers:
        root["citation"] = papers


def _author(crate: Any, number: int, person: Person) -> Any:
    """Return an author with the institute, where it was given."""
    identifier = f"https://orcid.org/{person.orcid}" if person.orcid else f"#author-{number}"
    author = _entity(crate, identifier, {"@type": "Person", "name": person.name})
    if person.affiliation:
        institute = {"@type": "Organization", "name": person.affiliation}
        author["affiliation"] = _entity(crate, f"#institute-{number}", institute)
    return author


def _action(crate: Any, parcel: Parcel) -> Any:
    """Return the run: the program with its version, beginning and end."""
    record = parcel.result.record
    versions = record.get("versions")
    found = versions if isinstance(versions, Mapping) else {}
    needs = [
        _requirement(crate, name, str(version))
        for name, version in found.items()
        if name not in ("unmixel", "platform")
    ]
    program = {"@type": "SoftwareApplication", "name": "unmixel", "url": "https://unmixel.org"}
    if "unmixel" in found:
        program["softwareVersion"] = found["unmixel"]
    instrument = _entity(crate, "https://unmixel.org", program)
    if needs:
        instrument["softwareRequirements"] = needs
    properties = {
        "@type": "CreateAction",
        "name": f"Separation of {parcel.name} into components",
        "description": "Non-negative matrix factorisation by the recipe, and what was read out of its components",
    }
    for name, key in (("startTime", "started"), ("endTime", "finished")):
        if record.get(key):
            properties[name] = str(record[key])
    if record.get("status") == "finished":
        properties["actionStatus"] = "http://schema.org/CompletedActionStatus"
    action = _entity(crate, "#run", properties)
    action["instrument"] = instrument
    return action


def _requirement(crate: Any, name: str, version: str) -> Any:
    """Return a program that the run used: Python, a package by its place in the index, a plug-in."""
    place = "https://www.python.org" if name == "python" else f"https://pypi.org/project/{name}/"
    properties = {"@type": "SoftwareApplication", "name": name, "softwareVersion": version}
    if ":" in name:  # a plug-in of others, as ``constraints:name``, with its package as version
        return _entity(crate, f"#{name.replace(':', '-')}", properties)
    return _entity(crate, place, properties | {"url": place})


def _input(crate: Any, result: Result) -> Any | None:
    """Return what the run was given, with its hash: a file by its name alone, an address, or an array."""
    record = result.record.get("input")
    given = record if isinstance(record, Mapping) else {}
    path, checksum = str(given.get("path", "")), str(given.get("sha256", ""))
    if not checksum:
        return None
    if is_simulated(result.record):
        address = {"@type": "PropertyValue", "name": "address of the simulated data", "value": path}
        return _entity(crate, "#input", address)
    if path == "memory":
        array = {"@type": "PropertyValue", "name": "SHA-256 of the array in memory", "value": checksum}
        return _entity(crate, "#input", array | {"description": f"It covers {given.get('covers')}."})
    name, covers = PurePath(path.replace("\\", "/")).name, str(given.get("covers", ""))
    told = f"Input of the run ({given.get('format') or 'format not recorded'}), not part of this crate."
    properties = {"name": name, "contentSize": str(given.get("bytes", "")), "description": told}
    if covers == WHOLE:
        properties |= {"@type": "File", "sha256": checksum, "encodingFormat": "application/octet-stream"}
        entity = _entity(crate, _named_information(checksum), properties)
        crate.root_dataset.append_to("hasPart", entity)  # where the specification wants every file
        return entity
    mark = {"@type": "PropertyValue", "name": f"SHA-256 of {covers}", "value": checksum}
    entity = _entity(crate, "#input", properties | {"@type": "CreativeWork"})
    entity["identifier"] = _entity(crate, "#input-hash", mark)
    return entity


def _named_information(checksum: str) -> str:
    """Return the address of something that is known by its SHA-256 alone (RFC 6920).

    Examples
    --------
    >>> _named_information("7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069")
    'ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk'
    """
    text = base64.urlsafe_b64encode(bytes.fromhex(checksum)).decode("ascii").rstrip("=")
    return f"ni:///sha-256;{text}"


def _entity(crate: Any, identifier: str, properties: dict[str, Any]) -> Any:
    """Return a new entity of the crate."""
    from rocrate.model import ContextEntity

    return crate.add(ContextEntity(crate, identifier, properties=properties))


def _file_facts(file: Path) -> dict[str, str]:
    """Return name, size, hash and kind of a file."""
    digest = hashlib.sha256()
    for piece in _pieces(file):
        digest.update(piece)
    facts = {
        "name": file.name,
        "contentSize": str(file.stat().st_size),
        "sha256": digest.hexdigest(),
        "encodingFormat": _MEDIA_TYPES.get(file.suffix, "application/octet-stream"),
    }
    return facts | ({"description": _WORDS[file.name]} if file.name in _WORDS else {})


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(1_000_000):
            yield piece
