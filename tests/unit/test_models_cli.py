"""`fimble models ...` as users type it."""

import argparse
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from model_server import CONTENT, make_store, web
from rich.console import Console

from fimble.errors import UnsupportedModel
from fimble.models import cli


@pytest.fixture
def store(tmp_path, monkeypatch):
    store = make_store(tmp_path, *web("good"))
    monkeypatch.setattr(cli, "open_store", lambda: store)
    return store


def inspect(path):
    if b"no FIM" in path.read_bytes():
        raise UnsupportedModel("It has no FIM tokens.", "Choose another.")
    return SimpleNamespace(description="Tiny Coder", architecture="qwen2")


@pytest.fixture
def run(store, capsys):
    """Run a command; returns exit code, stdout, stderr."""

    def run(*arguments):
        parser = argparse.ArgumentParser(prog="fimble")
        cli.add_parser(parser.add_subparsers(required=True), inspect=inspect, optimize=None)
        args = parser.parse_args(["models", *map(str, arguments)])
        code = args.run(args)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "elsewhere" / "Mine.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def test_path_prints_only_the_path(run, store, mine):
    code, out, err = run("path", "tiny")
    assert (code, out) == (1, "")
    assert err.startswith("error: The model tiny is not on this machine yet")
    assert "fimble models pull tiny" in err
    run("pull", "--from-file", mine)
    assert run("path", "tiny") == (0, f"{store.directory / 'tiny.gguf'}\n", "")


def test_an_unknown_name_is_one_line(run):
    code, out, err = run("pull", "tinny")
    assert (code, out) == (1, "")
    assert err == (
        "error: There is no model named 'tinny'. "
        "Did you mean tiny? The path of a GGUF file is fine too.\n"
    )


def test_pull_from_a_file(run, mine):
    code, out, err = run("pull", "tiny", "--from-file", mine)
    assert (code, out) == (0, "")
    assert "tiny is ready" in err
    assert "copying" in err
    code, _, err = run("pull")
    assert code == 0
    assert "here already" in err


def test_pull_from_a_wrong_file(run, mine):
    mine.write_bytes(b"X" + CONTENT[1:])
    code, _, err = run("pull", "tiny", "--from-file", mine)
    assert code == 1
    assert "SHA-256 differs" in err


def test_ctrl_c_says_how_to_go_on(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "fetch", interrupted)
    code, out, err = run("pull")
    assert (code, out) == (130, "")
    assert "the same command goes on" in err


def test_list_shows_what_is_here(run, store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def here():
        code, out, err = run("list")
        assert (code, err) == (0, "")
        (row,) = [line for line in out.splitlines() if line.startswith("*  tiny")]
        assert "300004 bytes" in row
        assert "MIT" in row
        return row.split("MIT")[1].rsplit(maxsplit=1)[0].strip()

    assert here() == "no"
    (store.directory / "tiny.part").write_bytes(CONTENT[:150_002])
    assert here() == "50 %"
    (store.directory / "tiny.gguf").write_bytes(CONTENT[:7])
    assert here() == "damaged"
    (store.directory / "tiny.gguf").write_bytes(CONTENT)
    assert here() == "yes"


def test_list_for_programs(run, store):
    code, out, err = run("list", "--json")
    assert (code, err) == (0, "")
    tiny = next(one for one in json.loads(out) if one["name"] == "tiny")
    assert (tiny["size"], tiny["licence"]) == (len(CONTENT), "MIT")
    assert (tiny["isHere"], tiny["isDefault"]) == (False, True)


def test_verify_goes_on_after_a_bad_one(run, store, mine):
    assert "no model here" in run("verify")[2]
    run("add", mine)
    (store.directory / "tiny.gguf").write_bytes(b"X" * len(CONTENT))
    code, out, err = run("verify")
    assert (code, out) == (1, "")
    assert "error: " in err
    assert "mine is intact" in err
    assert run("verify", "mine")[0] == 0
    assert run("verify", "nothing")[0] == 1


def test_rm(run, store):
    assert "was not here" in run("rm", "tiny")[2]
    (store.directory / "tiny.gguf").write_bytes(CONTENT)
    code, _, err = run("rm", "tiny")
    assert code == 0
    assert "is removed" in err
    assert not (store.directory / "tiny.gguf").exists()


def test_add(run, mine):
    code, out, err = run("add", mine, "--name", "my-own")
    assert (code, out) == (0, "")
    assert "my-own is ready. Added by you: Tiny Coder (qwen2)." in err
    assert run("path", "my-own") == (0, f"{mine}\n", "")
    mine.write_bytes(b"GGUF no FIM")
    code, _, err = run("add", mine)
    assert code == 1
    assert "error: It has no FIM tokens. Choose another." in err


def test_starting_up_loads_nothing_heavy():
    heavy = "{'requests', 'rich', 'numpy', 'filelock', 'platformdirs'}"
    code = (
        f"import sys, fimble.models.cli, fimble.models.profile; print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_bar_counts_only_new_bytes_as_speed():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with cli.progress_bar(console) as progress:
        progress(400, 1000, "downloading")
        progress(700, 1000, "downloading")
        progress(10, 1000, "checking")
        progress(1000, 1000, "checking")
    drawn = console.file.getvalue()
    assert "checking" in drawn
