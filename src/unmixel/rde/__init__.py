"""RDE, the data store of NIMS: a dataset template, its structuring callback, a run laid out in RDE's folders."""

from __future__ import annotations

from typing import Any

__all__ = ["dataset"]


def dataset(paths: Any) -> None:
    """Structure the data of one tile: the callback of ``rdetoolkit.workflows.run``.

    The scan among the input files is separated as invoice and ``recipe.yaml`` say; bundle, tables and report go to
    ``structured/``, pictures to ``main_image/``, ``other_image/`` and ``thumbnail/``, ``metadata.json`` to ``meta/``.

    Parameters
    ----------
    paths : rdetoolkit.models.rde2types.RdeDatasetPaths

    Raises
    ------
    rdetoolkit.exceptions.StructuredError
        Whatever goes wrong; its code is listed in ``docs/reference/rde.md``.
    MissingExtraError
        When rdetoolkit is not installed.

    Examples
    --------
    >>> import rdetoolkit  # doctest: +SKIP
    >>> rdetoolkit.workflows.run(custom_dataset_function=dataset)  # doctest: +SKIP
    """
    from unmixel.rde.callback import structure

    structure(paths)
