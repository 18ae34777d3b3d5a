"""Where few addresses are allowed, the suites ask for less, as the tests do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import limited_host

if limited_host.is_limited():
    limited_host.adapt()
