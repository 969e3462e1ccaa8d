"""Tells how the drop-in, the official Airbyte provider and this package stand side by side.

The drop-in and the official provider both put files under ``airflow/providers/airbyte``. Installers overwrite
such files without a word, and uninstalling either package removes the files of both. Nothing of that can be
prevented from here, so it is told where Airflow looks for providers, once for each process, and nowhere
else: no DAG file pays for it.

``airflow providers list`` shows no logs, so the remedy also stands in the description of the provider.
"""

from __future__ import annotations

import csv
import logging
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

OFFICIAL = "apache-airflow-providers-airbyte"
DROP_IN = "airbyte-sync-airflow-dropin"
_FILES_OF_BOTH = "airflow/providers/airbyte/"

_log = logging.getLogger(__name__)


def what_is_wrong() -> str | None:
    """
    Return what is wrong with the files that the drop-in and the official provider share, and the remedy.

    Also logs it, and where the official provider is here without the drop-in, which of the two hooks
    Airflow uses.
    """
    found = {name: _is_whole(name) for name in (DROP_IN, OFFICIAL)}
    are_whole = {name: is_whole for name, is_whole in found.items() if is_whole is not None}
    folder = _FILES_OF_BOTH.rstrip("/")
    problem = None
    if len(are_whole) > 1:
        problem = (
            f"{DROP_IN} and {OFFICIAL} are both installed and have overwritten each other's files under "
            f"{folder}: which one your DAGs get is left to chance. "
            f"Run: pip uninstall -y {OFFICIAL} {DROP_IN} && pip install {DROP_IN}"
        )
    elif False in are_whole.values():
        [name] = are_whole
        other = DROP_IN if name == OFFICIAL else OFFICIAL
        problem = (
            f"files of {name} under {folder} are missing, as after {other} was uninstalled: DAGs that "
            f"import from there fail. Run: pip install --force-reinstall --no-deps {name}"
        )
    if problem is not None:
        _log.warning("%s", problem)
    elif OFFICIAL in are_whole:
        _log.info(
            "%s is installed beside airbyte-sync-airflow: connections of type airbyte get the form, the "
            "test and the hook of airbyte-sync-airflow. The official classes read the same connections",
            OFFICIAL,
        )
    return problem


def _is_whole(name: str) -> bool | None:
    """Whether all of a package's modules in the shared folder are there; ``None``: it is not installed."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return None
    # ``package.files`` leaves out what is gone (Python 3.12).
    rows = csv.reader((package.read_text("RECORD") or "").splitlines())
    return all(
        Path(str(package.locate_file(file))).exists()
        for file, *_ in filter(None, rows)
        if file.startswith(_FILES_OF_BOTH) and file.endswith(".py")
    )
