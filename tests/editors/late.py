"""A server that is slow to start: `late.py FILE ARGUMENTS...` runs Python once FILE is there."""

import os
import sys
import time
from pathlib import Path

while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
os.execv(sys.executable, (sys.executable, *sys.argv[2:]))  # noqa: S606  (the test's own)
