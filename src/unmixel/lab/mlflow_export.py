"""Trials for MLflow: an experiment of runs, for those who keep theirs there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from unmixel.core.errors import MissingExtraError
from unmixel.lab.compare import flat
from unmixel.lab.index import medians
from unmixel.lab.ledger import Ledger
from unmixel.lab.trial import Trial

EXPERIMENT, ID_TAG = "unmixel", "unmixel.id"
"""Name of the experiment, and the tag that holds the id of a trial: it is exported once."""

_LONGEST = 500
"""Letters of a parameter that MLflow stores."""

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED", "running": "RUNNING"}


def export_to_mlflow(ledger: Ledger, ids: Iterable[str], uri: str, *, experiment: str = EXPERIMENT) -> int:
    """Write trials into an MLflow tracking store and return how many were new there; the others are left alone.

    Each trial becomes a run: the recipe as parameters, the median of each metric, every measurement as a step of
    ``CASE/VARIANT/METRIC``, hypothesis and hashes as tags, recipe, code and conclusion as artefacts. No user and no
    machine is told, beyond what MLflow itself adds.

    Parameters
    ----------
    ledger : Ledger
    ids : iterable of str
    uri : str
        Of the tracking store, such as ``sqlite:///mlflow.db`` or ``http://localhost:5000``.
    experiment : str

    Raises
    ------
    MissingExtraError
        When mlflow is not installed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # what is tried here is nobody else's business
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MissingExtraError("mlflow", extra="mlflow", purpose="Handing trials to MLflow") from error
    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    place = client.create_experiment(experiment) if known is None else known.experiment_id
    written = 0
    for name in ids:
        if not client.search_runs([place], f"tags.`{ID_TAG}` = '{name}'", max_results=1):
            _write(client, place, ledger.get(name))
            written += 1
    return written


def _write(client: Any, experiment: str, trial: Trial) -> None:
    """Write one trial as a run."""
    begun = int(datetime.fromisoformat(trial.created).timestamp() * 1000)
    run = client.create_run(experiment, start_time=begun, run_name=trial.id, tags=_tags(trial)).info.run_id
    for key, text in flat(trial.recipe):
        client.log_param(run, key.replace("[", "_").replace("]", ""), text[:_LONGEST])
    for metric, value in medians(trial).items():
        client.log_metric(run, metric, value)
    for one in trial.measured:
        for metric, value in one.metrics.items():
            name = f"{one.case}/{one.variant}/{metric}".translate(_PLAIN)
            client.log_metric(run, name, value, step=one.seed)
    for text, name in ((trial.conclusion, "conclusion.txt"), (trial.code, "idea.py")):
        if text:
            client.log_text(run, text, name)
    if trial.recipe:
        client.log_dict(run, dict(trial.recipe), "recipe.yaml")
    client.set_terminated(run, status=_STATUS[trial.state])


_PLAIN = {ord(sign): "_" for sign in "?&=:#%*\"'<>|"}
"""What names of metrics must not hold."""


def _tags(trial: Trial) -> dict[str, str]:
    told = {
        ID_TAG: trial.id,
        "unmixel.kind": trial.kind,
        "unmixel.suite": trial.suite,
        "unmixel.baseline": trial.baseline,
        "unmixel.hypothesis": trial.hypothesis,
        "unmixel.code_sha256": trial.code_sha256,
        **{f"unmixel.data.{case}".translate(_PLAIN): digest for case, digest in trial.data.items()},
        **{f"unmixel.version.{package}": version for package, version in trial.versions.items()},
    }
    return {key: value for key, value in told.items() if value}
