"""`fimble bench replay`, as short as can be: the report is there and makes sense."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real

TIMEOUT_S = 300
KEYS = 15


def bench(suite, model_path, file):
    """Run a suite on a few keys; its report, and what it printed."""
    command = [sys.executable, "-m", "fimble", "bench", suite, "--json", str(file)]
    command += ["--keys", str(KEYS), "--model", str(model_path)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(file.read_text()), done.stdout


def test_a_short_replay_reports_everything(model_path, tmp_path):
    report, printed = bench("replay", model_path, tmp_path / "report.json")
    assert "Milliseconds to the first suggestion line" in printed
    last = json.loads(printed.splitlines()[-1])
    assert last == {name: value for name, value in report.items() if name != "each"}

    assert report["keys"] == len(report["each"]) == KEYS
    typing = report["typing"]
    assert typing["first_line_ms"]["every key"]["count"] == KEYS - 1
    assert sum(typing["share"].values()) == pytest.approx(1, abs=0.01)
    # The first key may find the file read in advance, and then costs as little as any other.
    assert report["each"][0]["evaluated"] > 0
    assert typing["evaluated"]["median"] > 0
    assert typing["reuse_ratio"] > 0.5
    assert report["switch"]["first_token_ms"]["count"] > 0
    assert set(report["preemption"]) == {"while_writing_ms", "while_reading_ms"}
    assert report["restart"]["cold"]["restored"] == 0
    assert report["restart"]["warm"]["restored"] > 0
    assert report["memory"]["peak_rss_mb"] >= report["memory"]["rss_mb"] > 100


def test_drafts_are_weighed_on_the_same_text(model_path, tmp_path):
    report, _ = bench("drafts", model_path, tmp_path / "report.json")
    assert report["tokens"] == sum(one["tokens"] for one in report["each"])
    assert report["drafted"] >= report["accepted"]
    assert report["gain_if_all_were_right"] > 1
