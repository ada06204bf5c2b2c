"""Where model files live, and what is there.

`FIMBLE_MODEL_DIR` names the directory; otherwise it is the user's data directory. Models that
the user added are listed in ``added.json`` beside the files.
"""

import difflib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from fimble.errors import DigestMismatch, ModelError, ModelMissing, UnknownModel, UnsupportedModel
from fimble.models import optimized
from fimble.models.catalogue import Catalogue, Entry, check_name, load_catalogue
from fimble.models.files import (
    Watch,
    exclusive,
    human_size,
    sha256_of,
    size_of,
    write_private,
)

ADDED: Final = "added.json"
GGUF_MAGIC: Final = b"GGUF"


@dataclass(frozen=True, slots=True)
class Store:
    """A directory of model files and the catalogue that names them. Reads the disk each time."""

    directory: Path
    catalogue: Catalogue

    def added(self) -> tuple[Entry, ...]:
        """Return the user's own entries; raises `ModelError` if the list cannot be read."""
        path = self.directory / ADDED
        try:
            return msgspec.json.decode(path.read_bytes(), type=tuple[Entry, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ModelError(
                f"The list of added models {path} cannot be read ({error}).",
                "Mend or delete that file, then add the models again.",
            ) from error

    def entries(self) -> tuple[Entry, ...]:
        """Return every model that has a name here."""
        return self.catalogue.models + self.added()

    def find(self, name: str) -> Entry:
        """Return the model of that name; raises `UnknownModel` with the closest names.

        The catalogue comes first, so that a broken list of added models harms only those.
        """
        for entry in self.catalogue.models:
            if entry.name == name:
                return entry
        for entry in self.added():
            if entry.name == name:
                return entry
        names = [entry.name for entry in self.entries()]
        close = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.4)
        known = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(names)}."
        raise UnknownModel(
            f"There is no model named {name!r}.",
            f"{known} The path of a GGUF file is fine too.",
        )

    def path_of(self, entry: Entry) -> Path:
        """Return where the model's file is or would be; an absolute ``file`` stands for itself."""
        return self.directory / entry.file

    def part_of(self, entry: Entry) -> Path:
        """Return where an unfinished download is kept."""
        return self.directory / f"{entry.name}.part"

    def lock_of(self, entry: Entry) -> Path:
        """Return the file whose lock is held while the model is fetched."""
        return self.directory / f"{entry.name}.lock"

    def scratch_of(self, entry: Entry) -> Path:
        """Return the directory for what a download needs in between."""
        return self.directory / f"{entry.name}.tmp"

    def has(self, entry: Entry) -> bool:
        """Say whether the file is there in full length; `verify` looks at its bytes."""
        return size_of(self.path_of(entry)) == entry.size

    def resolve(self, model: str) -> Path:
        """Return the file for a catalogue name or a path, as the setting ``model`` gives it.

        Raises `UnknownModel` (no such name, no such file) or `ModelMissing`.
        """
        if is_path(model):
            path = Path(model).expanduser()
            if not path.is_file():
                raise UnknownModel(f"There is no model file at {path}.", "Check the path.")
            return path
        entry = self.find(model)
        return self.require(entry)

    def fastest(self, model: str) -> Path:
        """Return what `resolve` does, or the optimized file made of it where that is faster."""
        path = self.resolve(model)
        if is_path(model):
            return path
        return optimized.best_file(self.directory, self.find(model), path)

    def require(self, entry: Entry) -> Path:
        """Return the model's file; raises `ModelMissing` if it is absent or cut short."""
        path = self.path_of(entry)
        size = size_of(path)
        if size == entry.size:
            return path
        if not entry.sources:
            raise ModelMissing(
                f"The file of the model {entry.name} is gone or has changed: {path}.",
                f"Put it back, or run `fimble models rm {entry.name}` and add it again.",
            )
        fault = (
            f"is damaged ({size} of {entry.size} bytes)"
            if size
            else f"is not on this machine yet ({human_size(entry.size)})"
        )
        raise ModelMissing(
            f"The model {entry.name} {fault}.", f"Run `fimble models pull {entry.name}`."
        )

    def verify(self, entry: Entry, watch: Watch | None = None) -> Path:
        """Read the whole file; raises `ModelMissing`, or `DigestMismatch` if a byte differs."""
        path = self.require(entry)
        if sha256_of(path, watch or Watch()) == entry.sha256:
            return path
        again = f" and `fimble models pull {entry.name}`" if entry.sources else " and add it again"
        raise DigestMismatch(
            f"{path} is not the file that {entry.name} should be: its SHA-256 differs.",
            f"Run `fimble models rm {entry.name}`{again}.",
        )

    def remove(self, entry: Entry) -> bool:
        """Delete the model's files and leftovers and say whether there was anything to delete.

        A model that the user added is forgotten as well; its file is deleted only if it lives
        in the model directory. Raises `ModelError` while somebody fetches or
        optimizes the model.
        """
        if not self.directory.is_dir():
            return False

        def refuse() -> None:
            raise ModelError(
                f"{entry.name} is being fetched or optimized right now.", "Stop that first."
            )

        paths = [self.part_of(entry)]
        if not Path(entry.file).is_absolute():
            paths.append(self.path_of(entry))
        with exclusive(self.lock_of(entry), refuse):
            found = [path for path in paths if path.exists()]
            for path in found:
                path.unlink()
            shutil.rmtree(self.scratch_of(entry), ignore_errors=True)
            had_optimized = optimized.remove(self.directory, entry.name)
            added = self.added()
            if entry in added:
                self._write_added(tuple(other for other in added if other != entry))
        return bool(found) or had_optimized or entry in added

    def add(self, entry: Entry) -> None:
        """Remember a model of the user's; raises `ModelError` if the name is bad or taken."""
        self.require_free(entry.name)
        self._write_added((*self.added(), entry))

    def require_free(self, name: str) -> None:
        """Raise `ModelError` if a new model may not be called so."""
        check_name(name)
        if any(entry.name == name for entry in self.entries()):
            raise ModelError(f"There is already a model named {name}.", "Choose another --name.")

    def _write_added(self, entries: tuple[Entry, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(entries), indent=2)
        write_private(self.directory / ADDED, content + b"\n")


def is_path(model: str) -> bool:
    """Tell whether the setting ``model`` points at a file rather than naming an entry."""
    return model.lower().endswith(".gguf") or "/" in model or os.sep in model


def model_directory() -> Path:
    """Return where models live: `FIMBLE_MODEL_DIR`, or the user's data directory."""
    chosen = os.environ.get("FIMBLE_MODEL_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    # Imported late: a server whose directory is given needs none of it.
    import platformdirs  # noqa: PLC0415

    return Path(platformdirs.user_data_dir("fimble", appauthor=False)) / "models"


def open_store(directory: Path | None = None) -> Store:
    """Return the store in ``directory`` or the user's; creates nothing on disk."""
    return Store(directory or model_directory(), load_catalogue())


def require_gguf(path: Path) -> None:
    """Raise `UnsupportedModel` unless the file begins as GGUF files do: a cheap first look."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise UnknownModel(f"{path} cannot be read ({error.strerror}).", "Check it.") from error
    if magic != GGUF_MAGIC:
        raise UnsupportedModel(
            f"{path} is no GGUF file.", "Give a llama.cpp model file, usually named *.gguf."
        )
