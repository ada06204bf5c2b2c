"""From settings to an engine that was not started: what is found, kept and removed on the way."""

import pytest

from fimble.launch import ModelLauncher, make_engine
from fimble.settings import Cache, Settings

NO_DISK = Cache(disk_megabytes=0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache directory after a run that kept KV state on disk."""
    monkeypatch.setenv("FIMBLE_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("kv/0a/1.kv", "kv/0a/2.part", "kv/0b/1.kv", "profiles/1.json", "index/1.db"):
        file = tmp_path / "cache" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("tokens")
    return tmp_path / "cache"


@pytest.fixture
def settings(tmp_path):
    """Makes settings with a model that is there."""
    model = tmp_path / "my.gguf"
    model.write_bytes(b"GGUF")
    return lambda **values: Settings(model=str(model), **values)


def report(_fraction, _stage):
    pass


def files(directory):
    return {str(one.relative_to(directory)) for one in directory.rglob("*") if not one.is_dir()}


async def test_a_server_that_may_keep_nothing_on_disk_removes_what_is_there(cache, settings):
    await ModelLauncher().launch(settings(cache=NO_DISK), report)
    assert files(cache) == {"profiles/1.json", "index/1.db"}
    # Another server may be at work in the directories.
    assert (cache / "kv" / "0a").is_dir()


async def test_a_server_that_may_keeps_it(cache, settings):
    before = files(cache)
    await ModelLauncher().launch(settings(cache=Cache(disk_megabytes=1)), report)
    assert files(cache) == before


async def test_a_benchmark_without_a_disk_leaves_the_users_files(cache, settings):
    before = files(cache)
    await make_engine(settings(cache=NO_DISK), report)
    assert files(cache) == before


async def test_nothing_is_removed_through_a_link(cache, settings, tmp_path, caplog):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "1.kv").write_text("mine")
    (cache / "kv" / "0c").symlink_to(mine)
    (cache / "kv" / "0a" / "3.kv").symlink_to(mine / "1.kv")
    await ModelLauncher().launch(settings(cache=NO_DISK), report)
    assert files(mine) == {"1.kv"}
    assert not (cache / "kv" / "0a" / "3.kv").is_symlink()

    (cache / "kv").rename(cache / "old")
    (cache / "kv").symlink_to(mine)
    await ModelLauncher().launch(settings(cache=NO_DISK), report)
    assert files(mine) == {"1.kv"}
    assert caplog.messages == ["KV state is not removed from disk: its directory is a link"]


async def test_where_nothing_was_kept_nothing_is_made(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("FIMBLE_CACHE_DIR", str(tmp_path / "none"))
    await ModelLauncher().launch(settings(cache=NO_DISK), report)
    assert not (tmp_path / "none").exists()


async def test_whether_a_model_is_here_is_seen_without_a_download(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("FIMBLE_MODEL_DIR", str(tmp_path / "models"))
    launcher = ModelLauncher()
    assert await launcher.has_model(settings())
    assert not await launcher.has_model(Settings(model=str(tmp_path / "other.gguf")))
    assert not await launcher.has_model(Settings())
    assert not await launcher.has_model(Settings(model="nobody's"))
    assert not (tmp_path / "models").exists()
