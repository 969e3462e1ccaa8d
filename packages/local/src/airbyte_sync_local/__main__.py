"""Lets ``python -m airbyte_sync_local`` do what the console script does."""

import sys

from airbyte_sync_local.cli import main

if __name__ == "__main__":
    sys.exit(main())
