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
    drop_in, official = _modules_of(DROP_IN), _modules_of(OFFICIAL)
    problem = None
    if drop_in is not None and official is not None:
        problem = (
            f"{DROP_IN} and {OFFICIAL} are both installed and have overwritten each other's files under "
            f"{_FILES_OF_BOTH.rstrip('/')}: which one your DAGs get is left to chance. "
            f"Run: pip uninstall -y {OFFICIAL} {DROP_IN} && pip install {DROP_IN}"
        )
    elif drop_in is not None or official is not None:
        name = OFFICIAL if drop_in is None else DROP_IN
        are_there = official if drop_in is None else drop_in
        if not all((are_there or {}).values()):
            other = DROP_IN if name == OFFICIAL else OFFICIAL
            problem = (
                f"files of {name} under {_FILES_OF_BOTH.rstrip('/')} are missing, as after {other} was "
                f"uninstalled: DAGs that import from there fail. "
                f"Run: pip install --force-reinstall --no-deps {name}"
            )
    if problem is not None:
        _log.warning("%s", problem)
    elif official is not None:
        _log.info(
            "%s is installed beside airbyte-sync-airflow: connections of type airbyte get the form, the "
            "test and the hook of airbyte-sync-airflow. The official classes read the same connections",
            OFFICIAL,
        )
    return problem


def _modules_of(name: str) -> dict[str, bool] | None:
    """Return which of a package's modules in the shared folder are there; ``None``: not installed."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return None
    # ``package.files`` leaves out what is gone (Python 3.12).
    rows = csv.reader((package.read_text("RECORD") or "").splitlines())
    return {
        file: Path(str(package.locate_file(file))).exists()
        for file, *_ in filter(None, rows)
        if file.startswith(_FILES_OF_BOTH) and file.endswith(".py")
    }
