"""Giving a model that is in no catalogue a name: a file of the user's, or one on Hugging Face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from fimble.errors import DownloadFailed, UnknownModel, UnsupportedModel
from fimble.models.catalogue import Entry, HuggingFace, name_from_file, parse_hugging_face
from fimble.models.fetch import Outside, fetch
from fimble.models.files import Cancelled, Progress, Watch, sha256_of
from fimble.models.sources import Patience, web_reason
from fimble.models.store import Store, require_gguf

if TYPE_CHECKING:
    import requests

SHA256_CHARACTERS: Final = 64


class Description(Protocol):
    """What an inspection tells of a model file; the engine's ``ModelInfo`` fits."""

    @property
    def description(self) -> str:
        """The model's own name for itself."""
        ...

    @property
    def architecture(self) -> str:
        """llama.cpp's name for its kind."""
        ...


Inspect = Callable[[Path], Description]
"""Opens a model file as far as needed to see that Fimble can use it, or raises
`UnsupportedModel`.
"""


def add_model(
    store: Store,
    model: str,
    *,
    name: str | None,
    inspect: Inspect,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    outside: Outside | None = None,
) -> Entry:
    """Add a path or ``hf:ORG/REPO/FILE`` after checking it, and return its entry.

    A file of the user's stays where it is; one from Hugging Face is downloaded. Raises
    `UnsupportedModel`, `UnknownModel` (no such file), `ModelError` (bad or taken name), and
    what `fetch` raises.
    """
    outside = outside or Outside()
    if model.startswith("hf:"):
        entry = _published(store, parse_hugging_face(model), name, outside.patience)
        again = f"fimble models add {model} --name {entry.name}"
        fetch(
            store,
            entry,
            progress=progress,
            cancelled=cancelled,
            outside=outside,
            again=again,
        )
    else:
        entry = _own_file(store, Path(model).expanduser().absolute(), name)
    path = store.path_of(entry)
    try:
        require_gguf(path)
        found = inspect(path)
    except UnsupportedModel:
        # Deletes what was downloaded; a file of the user's stays.
        store.remove(entry)
        raise
    entry = replace(
        entry,
        sha256=entry.sha256 or sha256_of(path, Watch(progress, cancelled)),
        purpose=f"Added by you: {found.description} ({found.architecture}).",
    )
    store.add(entry)
    return entry


def _own_file(store: Store, path: Path, name: str | None) -> Entry:
    """Return an entry for a file that stays where it is; its digest is still missing."""
    if not path.is_file():
        raise UnknownModel(f"There is no model file at {path}.", "Check the path.")
    name = name or name_from_file(path.name)
    store.require_free(name)
    return Entry(
        name=name,
        file=str(path),
        size=path.stat().st_size,
        sha256="",
        licence="your own file",
        purpose="",
    )


def _published(store: Store, source: HuggingFace, name: str | None, patience: Patience) -> Entry:
    """Return an entry for a file that is to be downloaded, with the publisher's digest."""
    name = name or name_from_file(source.file)
    store.require_free(name)
    size, sha256 = published_size_and_digest(source, patience)
    return Entry(
        name=name,
        file=f"{name}.gguf",
        size=size,
        sha256=sha256,
        licence=f"see the page of {source.repository}",
        purpose="",
        sources=(source,),
    )


def published_size_and_digest(source: HuggingFace, patience: Patience) -> tuple[int, str]:
    """Ask the publisher for the file's size in bytes and its SHA-256; raises `DownloadFailed`."""
    # Imported late: only this command needs it.
    import requests  # noqa: PLC0415

    timeout = (patience.connect_s, patience.answer_s)
    try:
        # The digest stands in the first answer, not in that of the store it redirects to.
        answer = requests.head(source.url, timeout=timeout, allow_redirects=False)
    except requests.RequestException as error:
        raise DownloadFailed(
            f"{source.label}: {web_reason(error)}.",
            "Check the network and proxy, or download the file and add its path.",
        ) from error
    if answer.status_code >= requests.codes.bad_request:
        raise DownloadFailed(
            f"{source.label} answers {answer.status_code} for {source.file}.",
            "Check the spelling; a model behind a login must be downloaded by hand.",
        )
    return _read_headers(source, answer.headers)


def _read_headers(
    source: HuggingFace, headers: "requests.structures.CaseInsensitiveDict[str]"
) -> tuple[int, str]:
    size = headers.get("X-Linked-Size", "")
    sha256 = headers.get("X-Linked-ETag", "").strip('"').lower()
    hexadecimal = all(character in "0123456789abcdef" for character in sha256)
    if not size.isdecimal() or len(sha256) != SHA256_CHARACTERS or not hexadecimal:
        raise DownloadFailed(
            f"{source.label} publishes no digest for {source.file}.",
            "Download the file yourself and add its path.",
        )
    return int(size), sha256
