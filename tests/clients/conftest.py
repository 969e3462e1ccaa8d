"""An Airflow home of its own, before anything imports Airflow."""

import os
import tempfile

os.environ.update(
    {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airbyte-sync-clients-"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "SCARF_ANALYTICS": "false",
    }
)
