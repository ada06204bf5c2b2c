"""Profiles: kept under a key that names file, library and machine."""

import os
import stat
from importlib import metadata

import pytest

from fimble.models import profile

KEY = "model | library | machine"
VALUES = {"n_threads": 4, "decode_rate": 31.5}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_saved_is_loaded():
    assert profile.load(KEY) is None
    profile.save(KEY, VALUES)
    assert profile.load(KEY) == VALUES
    profile.save(KEY, {"n_threads": 2})
    assert profile.load(KEY) == {"n_threads": 2}
    assert profile.load("another") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"{}", b'{"key": "other"}', b'{"key": "%b", "profile": 1}'],
)
def test_a_damaged_profile_is_none(cache, content):
    profile.save(KEY, VALUES)
    (file,) = (cache / "profiles").iterdir()
    file.write_bytes(content.replace(b"%b", KEY.encode()))
    assert profile.load(KEY) is None


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX thing")
def test_profiles_are_private(cache):
    profile.save(KEY, VALUES)
    (file,) = (cache / "profiles").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_failed_save_keeps_the_old_profile(cache, monkeypatch):
    profile.save(KEY, VALUES)
    with pytest.raises(TypeError):
        profile.save(KEY, {"n_threads": object()})
    assert profile.load(KEY) == VALUES
    assert len(list((cache / "profiles").iterdir())) == 1


def test_the_key_changes_with_the_file_the_library_and_the_machine(tmp_path, monkeypatch):
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    os.utime(model, ns=(1, 1))
    keys = [profile.profile_key(model)]
    assert keys[0] == profile.profile_key(model)
    model.write_bytes(b"GGUF!")
    os.utime(model, ns=(1, 1))
    keys.append(profile.profile_key(model))
    os.utime(model, ns=(1, 2))
    keys.append(profile.profile_key(model))
    keys.append(profile.profile_key(model.rename(tmp_path / "other.gguf")))
    model = tmp_path / "other.gguf"
    monkeypatch.setattr(metadata, "version", lambda _: "9.9")
    keys.append(profile.profile_key(model))
    monkeypatch.setattr(profile.os, "cpu_count", lambda: 77)
    keys.append(profile.profile_key(model))
    monkeypatch.setattr(profile.platform, "machine", lambda: "abacus")
    keys.append(profile.profile_key(model))
    assert len(set(keys)) == len(keys)


def test_the_key_needs_no_library_and_no_cpuinfo(tmp_path, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setattr(profile, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(profile.platform, "processor", lambda: "bead")
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    assert "llama-cpp-python unknown" in profile.profile_key(model)
    assert "x bead" in profile.profile_key(model)


def test_the_directory_is_the_users_without_the_variable(monkeypatch):
    monkeypatch.delenv("FIMBLE_CACHE_DIR")
    assert profile.cache_directory().name == "fimble"
