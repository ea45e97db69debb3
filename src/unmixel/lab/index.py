"""A table of all trials for quick questions: made from their folders, and made anew whenever it may be wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from unmixel.core.errors import InputError
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.trial_folder import TrialFolder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
  id TEXT PRIMARY KEY, stamp TEXT NOT NULL, kind TEXT, name TEXT, suite TEXT, state TEXT, created TEXT,
  hypothesis TEXT, conclusion TEXT, baseline TEXT, n_measured INTEGER, n_failed INTEGER);
CREATE TABLE IF NOT EXISTS metrics (id TEXT NOT NULL, metric TEXT NOT NULL, value REAL, PRIMARY KEY (id, metric));
"""
_COLUMNS = (
    "id", "stamp", "kind", "name", "suite", "state", "created", "hypothesis", "conclusion", "baseline", "n_measured",
    "n_failed",
)  # fmt: skip
_VERSION = 1
"""Of the columns; an index of another version is made anew."""

_PATIENCE_S = 30.0
"""How long another process may hold the index: reading in thousands of trials takes seconds."""


@dataclass(frozen=True)
class Summary:
    """One line of the table of trials.

    Parameters
    ----------
    id, kind, name, suite, state, created, hypothesis, conclusion, baseline : str
        As in `Trial`; the conclusion with the user's notes.
    n_measured, n_failed : int
        Measurements, and how many of them gave nothing.
    metrics : mapping of str to float
        Median of each metric over what was measured with the idea; ``seconds`` and ``peak_MB`` among them.
    """

    id: str
    kind: str
    name: str
    suite: str
    state: str
    created: str
    hypothesis: str
    conclusion: str
    baseline: str
    n_measured: int
    n_failed: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Index:
    """The table, kept in step with the folders by a look at the stamps of their files.

    Nobody but `refreshed` writes to it, so that it cannot be wrong for longer than until the next question, whoever was
    killed when. The journal is SQLite's own: write-ahead logging needs memory that processes share, which folders on a
    network have not.

    Parameters
    ----------
    path : Path
        The SQLite file.
    trials : Path
        The folder of the trials' folders.
    """

    path: Path
    trials: Path

    def find(self, where: str = "1", values: tuple[Any, ...] = ()) -> tuple[Summary, ...]:
        """Return the trials for which an SQL condition holds, oldest first."""
        query = f"SELECT * FROM trials WHERE {where} ORDER BY created, id"  # of `Filter`'s own words  # nosec B608
        with self.refreshed() as connection:
            rows = [dict(row) for row in connection.execute(query, values)]
            found: dict[str, dict[str, float]] = {row["id"]: {} for row in rows}
            for row in connection.execute("SELECT id, metric, value FROM metrics ORDER BY metric"):
                if row["id"] in found:
                    found[row["id"]][row["metric"]] = row["value"]
        return tuple(
            Summary(**{k: v for k, v in row.items() if k != "stamp"}, metrics=found[row["id"]])
            for row in rows
        )

    def metrics(self) -> tuple[str, ...]:
        """Return the names of all metrics that any trial has."""
        with self.refreshed() as connection:
            return tuple(
                row[0] for row in connection.execute("SELECT DISTINCT metric FROM metrics ORDER BY 1")
            )

    @contextmanager
    def refreshed(self) -> Iterator[sqlite3.Connection]:
        """Give a connection to an index that says what the folders say; a damaged index is made anew.

        Raises
        ------
        InputError
            When another process has held it for half a minute.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._opened()
        except sqlite3.OperationalError as error:
            raise InputError(
                f"index '{self.path.name}'",
                expected="an index that is free",
                got=f"{error}",
                hint="try again; if no other process works in this folder, delete the file: it is made anew",
            ) from error
        except sqlite3.DatabaseError:
            self._remove()
            connection = self._opened()
        with closing(connection):
            yield connection

    def rebuild(self) -> int:
        """Make the index anew from the folders and return the number of trials in it."""
        self._remove()
        with self.refreshed() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM trials").fetchone()[0])

    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{self.path.name}-journal").unlink(
            missing_ok=True
        )  # it belongs to no other file

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            self._refresh(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Read in every trial whose files have changed, and every one that ran; forget those that are gone."""
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"columns of version {version}")
        if version == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        known = {
            row["id"]: row["stamp"] if row["state"] != "running" else ""
            for row in connection.execute("SELECT id, stamp, state FROM trials")
        }
        there = {
            path.name: TrialFolder(path)
            for path in (self.trials.iterdir() if self.trials.is_dir() else ())
            if path.is_dir() and not path.name.startswith(".")
        }
        stamps = {name: folder.stamp for name, folder in there.items()}
        changed = [name for name, stamp in stamps.items() if stamp != known.get(name)]
        gone = [name for name in known if not stamps.get(name)]
        if not (changed or gone):
            return
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            for name in gone:
                _forget(connection, name)
            for name in changed:
                _read_in(connection, there[name], stamps[name])


def _forget(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("DELETE FROM trials WHERE id = ?", (name,))
    connection.execute("DELETE FROM metrics WHERE id = ?", (name,))


def _read_in(connection: sqlite3.Connection, folder: TrialFolder, stamp: str) -> None:
    """Put one trial into the index; a folder that holds none is left out."""
    try:
        trial = folder.read()
    except InputError:
        return
    row = {
        **{key: getattr(trial, key, None) for key in _COLUMNS},
        "id": folder.path.name,
        "stamp": stamp,
        "n_measured": len(trial.measured),
        "n_failed": sum(bool(one.failed) for one in trial.measured),
    }
    _forget(connection, folder.path.name)
    marks = ", ".join("?" * len(_COLUMNS))
    connection.execute(f"INSERT INTO trials VALUES ({marks})", [row[key] for key in _COLUMNS])  # nosec B608
    connection.executemany(
        "INSERT INTO metrics VALUES (?, ?, ?)",
        [(folder.path.name, metric, value) for metric, value in medians(trial).items()],
    )


def counted(trial: Trial) -> list[Measured]:
    """Return what speaks for a trial: what was measured with its idea and did not fail.

    In a trial without pairs that is everything but the baseline.
    """
    good = [one for one in trial.measured if not one.failed]
    return [one for one in good if one.variant == IDEA] or [one for one in good if one.variant != BASELINE]


def medians(trial: Trial) -> dict[str, float]:
    """Return the median of each metric over what speaks for a trial; see `counted`.

    Examples
    --------
    >>> measured = tuple(Measured("a", s, "idea", metrics={"found": 2.0 * s}, seconds=1.0) for s in (0, 1, 2))
    >>> medians(Trial("x", "try", "x", "2026-11-30T10:00:00+00:00", measured=measured))
    {'found': 2.0, 'seconds': 1.0}
    """
    columns: dict[str, list[float]] = {}
    for one in counted(trial):
        costs = {"seconds": one.seconds, "peak_MB": one.peak_bytes / 1e6 if one.peak_bytes else float("nan")}
        for metric, value in {**one.metrics, **costs}.items():
            if value == value:  # a number
                columns.setdefault(metric, []).append(float(value))
    return {metric: float(median(values)) for metric, values in columns.items()}
