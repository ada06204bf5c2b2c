"""The real model file, if it is in the store: its digest is right, and damage is seen."""

import pytest

from fimble.errors import DigestMismatch, ModelMissing
from fimble.models.store import Store, open_store

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model():
    store = open_store()
    entry = store.find(store.catalogue.default)
    if not store.has(entry):
        pytest.skip(f"{entry.name} is not in {store.directory}")
    return store, entry


def test_the_real_file_is_the_publishers(model):
    store, entry = model
    assert store.verify(entry) == store.path_of(entry)


def test_a_damaged_copy_is_refused(model, tmp_path):
    store, entry = model
    with store.path_of(entry).open("rb") as file:
        start = bytearray(file.read(1_000_000))
    start[500_000] ^= 1
    damaged = Store(tmp_path, store.catalogue)
    copy = damaged.path_of(entry)
    copy.write_bytes(start)
    with pytest.raises(ModelMissing, match=r"is damaged \(1000000 of 491400064 bytes\)"):
        damaged.verify(entry)
    with copy.open("r+b") as file:
        file.truncate(entry.size)
    with pytest.raises(DigestMismatch, match="its SHA-256 differs"):
        damaged.verify(entry)
