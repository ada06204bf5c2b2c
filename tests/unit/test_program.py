"""The program as editors start it: in the folder that the user works in."""

import subprocess
import sys


def test_files_of_the_workspace_are_not_taken_for_the_librarys(tmp_path):
    for name in ("argparse", "json", "numbers"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the workspace')\n")
    command = (sys.executable, "-m", "fimble", "serve", "--help")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
