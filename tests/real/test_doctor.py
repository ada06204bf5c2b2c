"""`fimble doctor` and `fimble bench` on a machine that has everything."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real

TIMEOUT_S = 300


def run(*arguments):
    command = [sys.executable, "-m", "fimble", *arguments]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_doctor_measures_the_model(model_path):
    told = run("doctor")
    assert "qwen2.5-coder-0.5b (491 MB)" in told
    assert "tokens a second" in told
    assert "cannot complete" not in told


def test_a_request_is_measured_inside_and_outside_the_model(model_path):
    told = json.loads(run("bench", "request", "--runs", "3").splitlines()[-1])
    for kind in ("warm, inside a block", "warm, at a block's end"):
        warm = told[kind]
        assert warm["count"] == 3
        assert 0 < warm["outside_ms_p50"] < warm["total_ms_p50"]
        assert warm["model_ms_p50"] > 0
    assert told["same request again"]["model_ms_p95"] == 0


def test_startup_is_compared_with_a_bare_server():
    told = json.loads(run("bench", "startup", "--runs", "1").splitlines()[-1])
    assert told["fimble_ms_p50"] > 0
    assert told["bare_ms_p50"] > 0


def test_the_doctor_measures_again_when_asked(model_path, monkeypatch, tmp_path):
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path))
    told = run("doctor", "--calibrate")
    assert "tokens a second" in told or "The machine is busy" in told
