"""Tells when the drop-in and the official Airbyte provider are installed side by side.

Both put files under ``airflow/providers/airbyte``. Installers overwrite such files without a word, and
uninstalling either package removes the files of both.
"""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, distribution

OFFICIAL = "apache-airflow-providers-airbyte"
DROP_IN = "airbyte-sync-airflow-dropin"


def warn_if_files_are_overwritten() -> None:
    """Warn, with the remedy, when both packages are installed."""
    if _is_installed(OFFICIAL) and _is_installed(DROP_IN):
        logging.getLogger(__name__).warning(
            "%(ours)s and %(theirs)s are both installed and have overwritten each other's files under "
            "airflow/providers/airbyte: which one your DAGs get is left to chance. "
            "Run: pip uninstall -y %(theirs)s %(ours)s && pip install %(ours)s",
            {"ours": DROP_IN, "theirs": OFFICIAL},
        )


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
