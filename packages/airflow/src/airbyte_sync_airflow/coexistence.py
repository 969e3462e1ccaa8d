"""Tells when the drop-in and the official Airbyte provider are installed side by side.

Both put files under ``airflow/providers/airbyte``. Installers overwrite such files without a word, and
uninstalling either package removes the files of both.
"""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, distribution

OFFICIAL = "apache-airflow-providers-airbyte"
DROP_IN = "airbyte-sync-airflow-dropin"


class ProvidersOverlap(UserWarning):
    """Two installed packages own the same files."""


def warn_if_files_are_overwritten() -> None:
    """Warn, with the remedy, when both packages are installed."""
    if _is_installed(OFFICIAL) and _is_installed(DROP_IN):
        warnings.warn(
            f"{DROP_IN} and {OFFICIAL} are both installed and have overwritten each other's files "
            "under airflow/providers/airbyte: which one your DAGs get is left to chance. "
            f"Run: pip uninstall -y {OFFICIAL} {DROP_IN} && pip install {DROP_IN}",
            ProvidersOverlap,
            stacklevel=2,
        )


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
