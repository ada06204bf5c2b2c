"""Our processes are started in users' folders; those come from strangers."""

import subprocess

import pytest

from fimble.engine.client import WORKER_COMMAND
from fimble.features.context import COMMAND
from fimble.models.pip import PIP

SAID = "this folder was imported"


@pytest.mark.parametrize("command", [WORKER_COMMAND, COMMAND, (*PIP, "--version")])
def test_nothing_is_imported_from_the_folder_they_are_started_in(command, tmp_path):
    for name in ("fimble", "msgspec", "numbers", "pip", "random"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit({SAID!r})\n")
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert SAID not in done.stderr
