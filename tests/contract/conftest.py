"""Makes the suites of this folder importable by the tests beside them and below ``tests/http``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
