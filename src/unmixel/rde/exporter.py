"""The exporter ``rde``: a finished run in RDE's folders, to be registered as it is (mode ``rdeformat``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from unmixel.core.errors import MissingExtraError
from unmixel.io.exporters.contract import Parcel


class RdeExporter:
    """Lays a run out in RDE's folders.

    The raw data are not carried: ``raw/input.json`` names them by file name, SHA-256 and size. The folders, as one
    .zip, are what rdetoolkit's mode ``rdeformat`` registers.
    """

    name: ClassVar[str] = "rde"
    suffix: ClassVar[str] = ""

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the parcel to a folder with ``structured``, ``main_image``, ``meta``, ... and ``tasksupport``."""
        from unmixel.rde.fields import schema
        from unmixel.rde.layout import Folders, lay_out
        from unmixel.rde.metadata import definition, json_text

        lay_out(parcel, Folders.under(target))
        texts = {
            "raw/input.json": dict(parcel.result.record.get("input", {})),
            "tasksupport/metadata-def.json": definition(),
            "tasksupport/invoice.schema.json": schema(),
        }
        for path, values in texts.items():
            (target / path).parent.mkdir(exist_ok=True)
            (target / path).write_text(json_text(values), encoding="utf-8")

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what rdetoolkit finds wrong: with the two schemas, and with the values under their definition."""
        try:
            from rdetoolkit.cmd.validate import InvoiceSchemaCommand, MetadataCommand, MetadataDefCommand
        except ImportError as error:
            raise MissingExtraError(
                "rdetoolkit", extra="fair", purpose="Checking an export for RDE"
            ) from error
        values, terms = target / "meta/metadata.json", target / "tasksupport/metadata-def.json"
        commands = (
            MetadataDefCommand(terms),
            InvoiceSchemaCommand(target / "tasksupport/invoice.schema.json"),
            MetadataCommand(values, terms),
        )
        missing = [
            name for name in ("structured", "main_image", "thumbnail") if not any((target / name).glob("*"))
        ]
        found = [f"{name}: empty or not there" for name in missing]
        for command in commands:
            try:
                result = command.execute()
            except FileNotFoundError as error:
                found.append(str(error))
                continue
            found += [f"{Path(result.target).name}: {one.field}: {one.message}" for one in result.errors]
        return (*found, *(() if found else _casts(values, terms)))


def _casts(values: Path, terms: Path) -> tuple[str, ...]:
    """Return which values rdetoolkit itself would have refused, or written with another type or unit."""
    from rdetoolkit.exceptions import StructuredError
    from rdetoolkit.rde2util import Meta

    given: dict[str, Any] = json.loads(values.read_text(encoding="utf-8"))
    found = []
    for where, entries in (
        ("constant", given["constant"]),
        *((f"variable {i}", row) for i, row in enumerate(given["variable"])),
    ):
        for key, entry in entries.items():
            meta = Meta(terms)
            repeated = where != "constant"
            try:
                meta.assign_vals({key: [entry["value"]] if repeated else entry["value"]})
            except StructuredError as error:
                found.append(f"metadata.json: {where}: {key}: {error}")
                continue
            own = (meta.metaVar[0] if repeated and meta.metaVar else meta.metaConst).get(key)
            if own != entry:
                found.append(f"metadata.json: {where}: {key}: {entry} where rdetoolkit has {own}")
    return tuple(found)
