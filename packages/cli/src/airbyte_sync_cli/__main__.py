"""``python -m airbyte_sync_cli`` is the command ``airbyte-sync``."""

import sys

from airbyte_sync_cli.main import main

sys.exit(main())
