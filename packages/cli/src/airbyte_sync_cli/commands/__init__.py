"""One module for each command of ``airbyte-sync``."""
