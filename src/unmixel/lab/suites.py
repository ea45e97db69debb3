"""Suites: on which scans ideas are tried, with which seeds, and by what they are judged. Suites are data."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from unmixel.core.errors import InputError, RunExistsError
from unmixel.io.atomic import write_text
from unmixel.lab.metrics import COSTS, METRICS
from unmixel.pipeline.entries import nearest
from unmixel.pipeline.yamlfile import parse

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.dataset.truth import Truth

DEMO = "demo:"
WITH_TRUTH, WITHOUT = ("truth_error", "found", "false_reports"), ("held_out",)
"""Metrics that decide on a user's scan, with and without truth."""

OWN_SEEDS = tuple(range(1, 25))


@dataclass(frozen=True)
class Case:
    """A scan of a suite.

    Parameters
    ----------
    name : str
    scan : str
        A file, or the address of a phantom, to which each seed is added.
    truth : str
        A file or folder of the truth; empty where there is none, or where the scan is a phantom.
    sha256 : str
        Of the scan's file when it was added; empty for phantoms, whose address fixes them.
    candidates : tuple of str
        Structures among which groups are named; none are named where it is empty.
    """

    name: str
    scan: str
    truth: str = ""
    sha256: str = ""
    candidates: tuple[str, ...] = ()

    @property
    def is_phantom(self) -> bool:
        """Whether it is drawn anew for each seed."""
        return self.scan.startswith(DEMO)

    def draw(self, seed: int) -> tuple[Scan, Truth | None]:
        """Return the scan of a seed in memory, and its truth where there is one.

        Raises
        ------
        InputError
            When the scan is not what was added, or cannot be read.
        """
        from dataclasses import replace

        import numpy as np

        from unmixel.io.demo import phantom
        from unmixel.io.open import open as open_scan
        from unmixel.io.phantom import read_truth

        if self.is_phantom:
            joint = "&" if "?" in self.scan else "?"
            scan, truth = phantom(f"{self.scan}{joint}seed={seed}")
            return replace(scan, data=np.asarray(scan.data)), truth
        if self.sha256 and self.sha256 != digest(Path(self.scan)):
            raise InputError(
                f"case '{self.name}'", expected="the file that was added", got="another content under its name",
                hint="remove the suite and add it again",
            )  # fmt: skip
        scan = open_scan(self.scan)
        scan = replace(scan, data=np.asarray(scan.data))
        return scan, read_truth(self.truth, scan) if self.truth else None


@dataclass(frozen=True)
class Suite:
    """What ideas are tried on.

    Parameters
    ----------
    name, about : str
    cases : tuple of Case
    seeds : tuple of int
        Of phantoms and of fits; a pair is formed for each case and seed.
    judged : tuple of str
        Metrics that decide, the first before the others.
    recipe : mapping
        The standard recipe, which a promoted one takes the place of; empty for the one that suits the data.
    line : str
        Suites of one line share their promoted recipe; the suite's own name where it says nothing.
    """

    name: str
    about: str
    cases: tuple[Case, ...]
    seeds: tuple[int, ...]
    judged: tuple[str, ...]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    line: str = ""

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> Suite:
        """Return the suite that plain data describe.

        Raises
        ------
        InputError
            Names what is wrong with it.
        """

        def wrong(expected: str, got: Any) -> InputError:
            return InputError(
                f"suite '{name}'", expected=expected, got=repr(got), hint="see docs/how-to/try-an-idea.md"
            )

        known = {"about", "cases", "judged", "line", "recipe", "seeds"}
        for key in data:
            if key not in known:
                raise wrong(f"some of {', '.join(sorted(known))}", key)
        cases, seeds, judged = data.get("cases"), data.get("seeds"), data.get("judged")
        if not isinstance(cases, dict) or not cases:
            raise wrong("cases: a mapping of names to {scan: ...}", cases)
        if (
            not isinstance(seeds, list)
            or not seeds
            or not all(isinstance(one, int) and one >= 0 for one in seeds)
        ):
            raise wrong("seeds: a list of whole numbers >= 0", seeds)
        allowed = [one for one in METRICS if one not in COSTS]
        if not isinstance(judged, list) or not judged or not set(judged) <= set(allowed):
            raise wrong(f"judged: a list of metrics ({', '.join(allowed)})", judged)
        made = []
        for case, about in cases.items():
            if not isinstance(about, dict) or not isinstance(about.get("scan"), str):
                raise wrong(f"cases.{case}: scan, and if wanted truth, sha256, candidates", about)
            if not set(about) <= {"scan", "truth", "sha256", "candidates"}:
                raise wrong(f"cases.{case}: scan, and if wanted truth, sha256, candidates", sorted(about))
            made.append(Case(str(case), **{**about, "candidates": tuple(about.get("candidates", ()))}))
        return cls(
            name, str(data.get("about", "")), tuple(made), tuple(seeds), tuple(judged), dict(data.get("recipe") or {}),
            str(data.get("line", name)),
        )  # fmt: skip

    @property
    def data(self) -> dict[str, str]:
        """What fixes the data of each case: the address of a phantom, the SHA-256 of a file."""
        return {case.name: case.scan if case.is_phantom else case.sha256 for case in self.cases}


@dataclass(frozen=True)
class Suites:
    """The suites that ship with unmixel, and the user's own in a folder.

    Parameters
    ----------
    folder : Path
        Of the lab.

    Examples
    --------
    >>> Suites(Path("unmixel-lab")).get("quick").judged[0]
    'truth_error'
    """

    folder: Path

    @property
    def own(self) -> Path:
        """Folder of the user's suites."""
        return self.folder / "suites"

    def names(self) -> tuple[str, ...]:
        """Return the names of all suites, those that ship first."""
        own = sorted(path.stem for path in self.own.glob("*.yaml")) if self.own.is_dir() else []
        return (*shipped(), *own)

    def get(self, name: str) -> Suite:
        """Return a suite.

        Raises
        ------
        InputError
            When there is none of that name; the nearest is named.
        """
        if name in shipped():
            text = files("unmixel.lab").joinpath("shipped", f"{name}.yaml").read_text(encoding="utf-8")
            return Suite.of(name, parse(text))
        if name not in self.names():
            raise InputError(
                "suite", expected=f"one of {', '.join(self.names())}", got=f"'{name}'",
                hint=nearest(name, self.names()).strip() or "add yours with: unmixel suite add NAME SCAN",
            )  # fmt: skip
        return Suite.of(name, parse(self.own / f"{name}.yaml"))

    def add(
        self, name: str, scan: str, *, truth: str | None = None, candidates: tuple[str, ...] = ()
    ) -> Suite:
        """Add a scan to a suite of the user's, which is made by its first scan, and return the suite.

        Parameters
        ----------
        name : str
        scan : str
            File or folder that `unmixel.open` reads, or a phantom's address. It stays where it is.
        truth : str, optional
            See `unmixel.io.phantom.read_truth`. Ideas never see it.
        candidates : tuple of str
            Structures among which groups are named.

        Raises
        ------
        InputError
            When scan or truth cannot be read or do not fit, or the name is no plain word.
        RunExistsError
            When the suite ships with unmixel, or has a case of that name.
        """
        if not re.fullmatch(r"[A-Za-z][\w-]*", name):
            raise InputError("name of the suite", expected="letters, digits, _ and -", got=f"'{name}'")
        if name in shipped():
            raise RunExistsError(f"The suite '{name}' ships with unmixel. Choose another name.")
        old = self.get(name) if name in self.names() else None
        if not scan.startswith(DEMO):
            scan = str(Path(scan).resolve())
        case = Case(
            Path(scan).stem if not scan.startswith(DEMO) else f"phantom-{1 + len(old.cases) if old else 1}",
            scan,
            str(Path(truth).resolve()) if truth else "",
            "" if scan.startswith(DEMO) else digest(Path(scan)),
            candidates,
        )
        if old is not None and case.name in {one.name for one in old.cases}:
            raise RunExistsError(
                f"The suite '{name}' has a case '{case.name}' already. Remove the suite first."
            )
        _, known = case.draw(1)
        judged = WITHOUT if known is None else _judged_with(known)
        if old is not None and old.judged != judged:
            raise InputError(
                f"suite '{name}'", expected=f"scans judged by {', '.join(old.judged)}", got=f"one judged by "
                f"{', '.join(judged)}", hint="put scans with and without truth into suites of their own",
            )  # fmt: skip
        suite = Suite(
            name, "added by hand", (*(old.cases if old else ()), case), OWN_SEEDS, judged, line=name
        )
        self._write(suite)
        return suite

    def remove(self, name: str) -> None:
        """Remove a suite of the user's; its scans and truths stay.

        Raises
        ------
        InputError
            When there is none of that name, or it ships with unmixel.
        """
        place = self.own / f"{name}.yaml"
        if name in shipped() or not place.is_file():
            own = ", ".join(one for one in self.names() if one not in shipped()) or "none so far"
            raise InputError("suite", expected=f"one of your own ({own})", got=f"'{name}'", hint="")
        place.unlink()

    def _write(self, suite: Suite) -> None:
        cases = {
            case.name: {
                key: value
                for key in ("scan", "truth", "sha256", "candidates")
                if (value := getattr(case, key))
            }
            for case in suite.cases
        }
        for case in cases.values():
            if "candidates" in case:
                case["candidates"] = list(case["candidates"])
        told = {
            "about": suite.about,
            "judged": list(suite.judged),
            "seeds": list(suite.seeds),
            "cases": cases,
        }
        self.own.mkdir(parents=True, exist_ok=True)
        write_text(self.own / f"{suite.name}.yaml", yaml.safe_dump(told, sort_keys=False, allow_unicode=True))


def _judged_with(truth: Truth) -> tuple[str, ...]:
    return WITH_TRUTH if "crystal" in truth.kinds else ("truth_error",)


def shipped() -> tuple[str, ...]:
    """Return the names of the suites that ship with unmixel."""
    return tuple(
        sorted(
            (
                one.name.removesuffix(".yaml")
                for one in files("unmixel.lab").joinpath("shipped").iterdir()
                if one.name.endswith(".yaml")
            ),
            key=lambda name: ("quick", "full", name).index(name),
        )
    )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder with their names.

    Raises
    ------
    InputError
        When there is none.
    """
    if not path.exists():
        raise InputError("scan", expected="a file", got=f"'{path}', which is not there", hint="")
    found = hashlib.sha256()
    for one in [path] if path.is_file() else sorted(path.rglob("*")):
        if one.is_file():
            if one != path:
                found.update(str(one.relative_to(path)).encode())
            with one.open("rb") as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
    return found.hexdigest()
