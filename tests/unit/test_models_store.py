"""Names, paths, verification, removal, and the models that users add."""

import json
import os
import stat
from dataclasses import replace
from types import SimpleNamespace

import pytest
from model_server import CONTENT, QUICK, make_entry, make_store, raised, serve, web

from fimble.errors import (
    DigestMismatch,
    DownloadFailed,
    ModelError,
    ModelMissing,
    UnknownModel,
    UnsupportedModel,
)
from fimble.models.adding import add_model
from fimble.models.catalogue import (
    HuggingFace,
    Wheels,
    check_name,
    load_catalogue,
    name_from_file,
    parse_hugging_face,
)
from fimble.models.fetch import Outside
from fimble.models.files import Stopped, Watch, exclusive
from fimble.models.store import open_store, require_gguf

TINY = make_entry()


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, *web("good"))


def put(store, content=CONTENT, name="tiny.gguf"):
    path = store.directory / name
    path.write_bytes(content)
    return path


def inspect(path):
    assert path.is_file()
    return SimpleNamespace(description="Tiny Coder", architecture="qwen2")


def refuse(path):
    raise UnsupportedModel("It has no FIM tokens.", "Choose another.")


# --- the catalogue ------------------------------------------------------------------------


def test_the_catalogue_that_ships_is_sound():
    catalogue = load_catalogue()
    names = [entry.name for entry in catalogue.models]
    assert names == ["qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"]
    assert catalogue.default in names
    for entry in catalogue.models:
        assert check_name(entry.name)
        assert len(entry.sha256) == 64
        web, wheels = entry.sources
        assert isinstance(web, HuggingFace)
        assert web.url == f"https://huggingface.co/{web.repository}/resolve/main/{entry.file}"
        assert isinstance(wheels, Wheels)
        assert (wheels.parts - 1) * wheels.part_size < entry.size
        assert entry.size <= wheels.parts * wheels.part_size


def test_a_mirror_takes_the_place_of_hugging_face(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert HuggingFace("org/repo", "m.gguf").url == (
        "https://mirror.example/org/repo/resolve/main/m.gguf"
    )


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "../x", "a b", "-x", "x.gguf", "x" * 65])
def test_names_that_no_model_may_have(name):
    raised(ModelError, lambda: check_name(name))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My Model-Q4.gguf", "my-model-q4"),
        ("a/b/Coder_7B.Q8_0.GGUF", "coder_7b.q8_0"),
        ("--x--.gguf", "x"),
    ],
)
def test_a_file_gives_its_model_a_name(file, name):
    assert name_from_file(file) == name


def test_reads_hugging_face_specs():
    assert parse_hugging_face("hf:o/r/m.gguf") == HuggingFace("o/r", "m.gguf")
    assert parse_hugging_face("hf:o/r/q4/m.gguf") == HuggingFace("o/r", "q4/m.gguf")


@pytest.mark.parametrize(
    "spec", ["hf:", "hf:o/r", "hf:o/r/m.bin", "hf:o/../m.gguf", "hf:o/r/?.gguf"]
)
def test_refuses_other_specs(spec):
    assert "hf:ORG/REPO/FILE.gguf" in raised(ModelError, lambda: parse_hugging_face(spec))


# --- where files are ----------------------------------------------------------------------


def test_the_directory_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FIMBLE_MODEL_DIR", str(tmp_path / "m"))
    store = open_store()
    assert store.directory == tmp_path / "m"
    assert not store.directory.exists()
    monkeypatch.delenv("FIMBLE_MODEL_DIR")
    assert open_store().directory.parts[-2:] == ("fimble", "models")


def test_an_unknown_name_gets_the_closest_ones(store):
    message = raised(UnknownModel, lambda: store.resolve("Tinny"))
    assert "Did you mean tiny?" in message
    assert "Known: tiny." in raised(UnknownModel, lambda: store.resolve("zzzzzzz"))


def test_resolves_a_name(store):
    message = raised(ModelMissing, lambda: store.resolve("tiny"))
    assert "not on this machine yet (300004 bytes)" in message
    assert "fimble models pull tiny" in message
    path = put(store)
    assert store.resolve("tiny") == path


def test_a_file_cut_short_is_not_usable(store):
    put(store, CONTENT[:10])
    assert "damaged (10 of 300004 bytes)" in raised(ModelMissing, lambda: store.resolve("tiny"))


def test_resolves_a_path(store, monkeypatch):
    path = put(store, name="other.gguf")
    assert store.resolve(str(path)) == path
    monkeypatch.setenv("HOME", str(store.directory))
    assert store.resolve("~/other.gguf") == path
    assert "no model file at" in raised(UnknownModel, lambda: store.resolve("./absent.gguf"))
    assert "no model file at" in raised(UnknownModel, lambda: store.resolve("absent.gguf"))


# --- verify and remove --------------------------------------------------------------------


def test_verify_reads_every_byte(store):
    path = put(store)
    seen = []
    watch = Watch(lambda done, total, stage: seen.append((done, total, stage)))
    assert store.verify(store.find("tiny"), watch) == path
    assert seen[-1] == (len(CONTENT), len(CONTENT), "checking")


def test_verify_sees_one_changed_byte_and_keeps_the_file(store):
    path = put(store, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    message = raised(DigestMismatch, lambda: store.verify(store.find("tiny")))
    assert "`fimble models rm tiny` and `fimble models pull tiny`" in message
    assert path.exists()


def test_verify_can_be_cancelled(store):
    put(store)
    watch = Watch(cancelled=lambda: True)
    raised(Stopped, lambda: store.verify(store.find("tiny"), watch))


def test_remove_deletes_the_file_and_leftovers(store):
    put(store)
    put(store, b"half", "tiny.part")
    (store.directory / "tiny.tmp").mkdir()
    assert store.remove(store.find("tiny"))
    assert [entry.name for entry in store.directory.iterdir()] == ["tiny.lock"]
    assert not store.remove(store.find("tiny"))


def test_remove_from_a_directory_that_is_not_there(tmp_path):
    assert not make_store(tmp_path / "none").remove(TINY)
    assert not (tmp_path / "none").exists()


def test_remove_refuses_while_the_model_is_fetched(store):
    path = put(store)

    def never():
        raise AssertionError

    with exclusive(store.lock_of(TINY), never):
        assert "being fetched" in raised(ModelError, lambda: store.remove(store.find("tiny")))
    assert path.exists()


# --- add ----------------------------------------------------------------------------------


def test_adds_a_file_where_it_is(store, tmp_path):
    path = put(store, name="My Coder.gguf")
    entry = add_model(store, str(path), name=None, inspect=inspect)
    assert entry == replace(
        TINY,
        name="my-coder",
        file=str(path),
        licence="your own file",
        purpose="Added by you: Tiny Coder (qwen2).",
    )
    assert store.added() == (entry,)
    assert store.resolve("my-coder") == path
    assert store.verify(entry) == path
    assert store.remove(entry)
    assert path.exists()
    assert store.added() == ()


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX thing")
def test_the_list_of_added_models_is_private(store):
    add_model(store, str(put(store)), name="mine", inspect=inspect)
    assert stat.S_IMODE((store.directory / "added.json").stat().st_mode) == 0o600


def test_an_added_file_that_changed_is_missing(store):
    path = put(store)
    entry = add_model(store, str(path), name="mine", inspect=inspect)
    path.write_bytes(b"GGUF")
    message = raised(ModelMissing, lambda: store.resolve("mine"))
    assert "gone or has changed" in message
    assert "fimble models rm mine" in message
    path.write_bytes(b"X" * len(CONTENT))
    assert "and add it again" in raised(DigestMismatch, lambda: store.verify(entry))


def test_refuses_what_is_no_usable_model(store):
    text = put(store, b"hello", "text.gguf")
    model = put(store)
    cases = [
        (UnknownModel, str(store.directory / "absent.gguf"), None, inspect),
        (UnknownModel, str(store.directory), None, inspect),
        (UnsupportedModel, str(text), None, inspect),
        (UnsupportedModel, str(model), "mine", refuse),
        (ModelError, str(model), "tiny", inspect),
        (ModelError, str(model), "No Name", inspect),
    ]
    for kind, path, name, look in cases:
        raised(kind, lambda p=path, n=name, i=look: add_model(store, p, name=n, inspect=i))
    assert store.added() == ()
    assert model.exists()
    assert text.exists()


def test_a_broken_list_harms_only_added_models(store):
    path = put(store)
    put(store, b"{", "added.json")
    assert store.resolve("tiny") == path
    assert "added.json" in raised(ModelError, lambda: store.resolve("mine"))
    raised(ModelError, lambda: add_model(store, str(path), name="mine", inspect=inspect))
    assert (store.directory / "added.json").read_bytes() == b"{"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "cannot be read" in raised(UnknownModel, lambda: require_gguf(tmp_path))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def add_from_web(store, host, look=inspect):
    spec = f"hf:{host}/repository/Web.gguf"
    return add_model(store, spec, name=None, inspect=look, outside=Outside(patience=QUICK))


def test_adds_a_model_from_hugging_face(server, store):
    entry = add_from_web(store, "good")
    assert entry.name == "web"
    assert entry.licence == "see the page of good/repository"
    assert store.resolve("web").read_bytes() == CONTENT
    written = json.loads((store.directory / "added.json").read_bytes())
    assert written[0]["sources"] == [
        {"kind": "huggingface", "repository": "good/repository", "file": "Web.gguf"}
    ]
    assert store.remove(entry)
    assert not store.path_of(entry).exists()


def test_a_model_from_the_web_that_is_no_use_is_deleted(server, store):
    raised(UnsupportedModel, lambda: add_from_web(store, "good", refuse))
    assert store.added() == ()
    assert not (store.directory / "web.gguf").exists()


def test_a_model_from_the_web_is_trusted_only_by_its_digest(server, store):
    assert "add its path" in raised(DigestMismatch, lambda: add_from_web(store, "wrong"))
    message = raised(DownloadFailed, lambda: add_from_web(store, "nodigest"))
    assert "publishes no digest" in message
    assert "404" in raised(DownloadFailed, lambda: add_from_web(store, "missing"))
    message = raised(DownloadFailed, lambda: add_from_web(store, "cut"))
    assert "`fimble models add hf:cut/repository/Web.gguf --name web`" in message
    assert store.added() == ()


def test_adding_from_the_web_without_network_says_so(store, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in raised(DownloadFailed, lambda: add_from_web(store, "good"))
