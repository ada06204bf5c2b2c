"""What the user can set: a frozen tree with complete defaults, read leniently from any source.

Sources, later ones win: the defaults, ``fimble.toml`` in the user's configuration directory,
``fimble.toml`` in the workspace (untrusted: it comes with the code), and the editor. A key that is
unknown or has a bad value gives one `SettingsError` and is left as it was; reading never fails.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
import platformdirs
from msgspec import Meta

from fimble.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "fimble.toml"


class Download(msgspec.Struct, frozen=True, rename="camel"):
    """Getting the model."""

    auto: Annotated[
        bool, Meta(description="Download the model at start when it is not on this machine yet.")
    ] = True


class Engine(msgspec.Struct, frozen=True, rename="camel"):
    """How to run the model; whatever is null is measured."""

    gpu_layers: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="Model layers to put on the GPU; null: as many as pay off."),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=512)] | None,
        Meta(description="CPU threads to use; null: as many as are fastest."),
    ] = None
    context_size: Annotated[
        Annotated[int, Meta(ge=512, le=131072)] | None,
        Meta(description="Tokens the model keeps in memory; null: what fits this machine."),
    ] = None
    flash_attention: Annotated[
        bool | None,
        Meta(description="Use the flash attention kernels; null: where they are faster."),
    ] = None


class Completion(msgspec.Struct, frozen=True, rename="camel"):
    """Inline completion."""

    enabled: Annotated[bool, Meta(description="Suggest code while typing.")] = True
    max_tokens: Annotated[
        int,
        Meta(
            ge=1,
            le=1024,
            description="The longest suggestion, in tokens of the model; twice that on request.",
        ),
    ] = 96
    eagerness: Annotated[
        Literal["quiet", "balanced", "eager"],
        Meta(description="How sure the model must be of a suggestion for it to be shown."),
    ] = "balanced"
    in_comments: Annotated[bool, Meta(description="Suggest inside comments.")] = True
    in_strings: Annotated[bool, Meta(description="Suggest inside strings.")] = True
    multiline: Annotated[
        Literal["auto", "always", "never"],
        Meta(
            description="Suggest more than one line: where a block begins or other text follows,"
            " always or never."
        ),
    ] = "auto"
    disabled_languages: Annotated[
        tuple[str, ...], Meta(description="Languages (LSP identifiers) without suggestions.")
    ] = ()
    items: Annotated[
        Literal["on", "unranked", "off"],
        Meta(
            description="List names in the completion popup: in the model's order, in that of the"
            " text, or not at all."
        ),
    ] = "on"
    exclude: Annotated[
        tuple[str, ...], Meta(description="Files without suggestions, as glob patterns.")
    ] = ()


class Context(msgspec.Struct, frozen=True, rename="camel"):
    """What other files of the workspace tell the model."""

    enabled: Annotated[
        bool, Meta(description="Index the workspace, and show the model what a file uses of it.")
    ] = True
    exclude: Annotated[
        tuple[str, ...],
        Meta(description="Files never to read for this, as patterns of a .gitignore."),
    ] = ()
    max_files: Annotated[
        int, Meta(ge=0, le=1_000_000, description="The most files to index of each folder.")
    ] = 100_000
    max_file_kilobytes: Annotated[
        int, Meta(ge=1, le=10_000, description="Larger files are left out of the index.")
    ] = 256


class Custom(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An action of the user's own."""

    name: Annotated[str, Meta(min_length=1, max_length=60, description="What the menu shows.")]
    prompt: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2000,
            description="What the model is asked; `{selection}`, `{language}`, `{file}`, `{name}`"
            " and `{instruction}` are filled in.",
        ),
    ]
    on: Annotated[
        tuple[Literal["selection", "function", "class"], ...],
        Meta(description="Where it is offered."),
    ] = ("selection", "function")
    languages: Annotated[
        tuple[str, ...], Meta(description="Languages (LSP identifiers); none: all of them.")
    ] = ()
    output: Annotated[
        Literal["replace", "insert", "show"],
        Meta(description="Write over the selection, insert below it, or show the answer."),
    ] = "replace"


class Actions(msgspec.Struct, frozen=True, rename="camel"):
    """Code actions."""

    candidates: Annotated[
        int, Meta(ge=1, le=8, description="How many answers of the model an action may try.")
    ] = 3
    checkers: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="Commands that check a file on standard input, by language; `{path}` stands"
            " for the file's name."
        ),
    ] = {}
    custom: Annotated[
        tuple[Custom, ...],
        Meta(description="Actions of your own; the README says how they are written."),
    ] = ()


class Verify(msgspec.Struct, frozen=True, rename="camel"):
    """Trying out what the model wrote."""

    execute: Annotated[
        Literal["ask", "always", "never"],
        Meta(
            description="Run the examples in a docstring or comment, and tests, in a sandbox, to"
            " choose the code that passes them; ask: once for each workspace."
        ),
    ] = "ask"


class Cache(msgspec.Struct, frozen=True, rename="camel"):
    """What the model has read, kept so that it need not be read again."""

    ram_megabytes: Annotated[
        int, Meta(ge=0, le=65536, description="Memory for files that are not on screen.")
    ] = 512
    disk_megabytes: Annotated[
        int,
        Meta(
            ge=0,
            le=1048576,
            description="Disk for files to be warm after a restart; 0: none, and what is there is"
            " removed.",
        ),
    ] = 1024


class Log(msgspec.Struct, frozen=True, rename="camel"):
    """The log on standard error; it never holds the text of files."""

    level: Annotated[
        Literal["error", "warning", "info", "debug"], Meta(description="The least that is logged.")
    ] = "info"


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that can be set."""

    enabled: Annotated[bool, Meta(description="Run Fimble; false frees the model's memory.")] = True
    model: Annotated[
        str,
        Meta(
            min_length=1,
            description="A model of the catalogue, or the path to a GGUF file with FIM tokens.",
        ),
    ] = "qwen2.5-coder-0.5b"
    optimize: Annotated[
        Literal["auto", "never"],
        Meta(
            description="Use the file that `fimble models optimize` made of the model where it is"
            " faster on this machine, or never."
        ),
    ] = "auto"
    background: Annotated[
        Literal["auto", "always", "never"],
        Meta(description="Read and think ahead while nobody waits; auto: not on battery."),
    ] = "auto"
    history: Annotated[
        bool,
        Meta(
            description="Keep figures, and no code, of what becomes of suggestions, on this machine"
            " only: `fimble stats` shows them, and from the next start on Fimble is a little"
            " quieter or bolder by language."
        ),
    ] = True
    download: Annotated[Download, Meta(description="Getting the model.")] = Download()
    engine: Annotated[Engine, Meta(description="Running the model.")] = Engine()
    cache: Annotated[Cache, Meta(description="Keeping what the model has read.")] = Cache()
    completion: Annotated[Completion, Meta(description="Inline completion.")] = Completion()
    context: Annotated[Context, Meta(description="Other files of the workspace.")] = Context()
    actions: Annotated[Actions, Meta(description="Code actions.")] = Actions()
    verify: Annotated[Verify, Meta(description="Trying out code.")] = Verify()
    log: Annotated[Log, Meta(description="The log on standard error.")] = Log()


DEFAULTS: Final = Settings()

# What a workspace may not decide, because its files come from strangers: what is fetched and run,
# and the cache, which is the user's for all workspaces.
_TRUSTED_KEYS: Final = frozenset(
    {
        "download.auto",
        "actions.checkers",
        "verify.execute",
        "cache.ramMegabytes",
        "cache.diskMegabytes",
    }
)
_CATALOGUE_NAME: Final = re.compile(r"(?!.*\.gguf$)[a-z0-9][a-z0-9._-]*", re.IGNORECASE)


def read(
    raw: object, base: Settings = DEFAULTS, *, trusted: bool = True
) -> tuple[Settings, tuple[SettingsError, ...]]:
    """Lay ``raw`` (JSON or TOML data) over ``base``; null means "not set here".

    An empty list stands for an empty table too: editors that run Lua cannot tell them apart.
    With ``trusted`` false the model may only be named, not pointed at by a path.
    """
    errors: list[SettingsError] = []
    settings = _merge(raw, base, "", errors, trusted=trusted)
    assert isinstance(settings, Settings)
    return settings, tuple(errors)


def load_files(
    workspace_root: Path | None, *, user_directory: Path | None = None
) -> tuple[Settings, tuple[SettingsError, ...]]:
    """Read the user's file and then, untrusted, the workspace's; a missing file is no error."""
    directory = user_directory or platformdirs.user_config_path("fimble", appauthor=False)
    settings, problems = _load(directory / FILE_NAME, DEFAULTS, trusted=True)
    if workspace_root is not None:
        settings, more = _load(workspace_root / FILE_NAME, settings, trusted=False)
        problems += more
    return settings, problems


def schema() -> dict[str, Any]:
    """Return the JSON schema of the settings, for editors that offer them in a form."""
    return msgspec.json.schema(Settings)


def _load(
    path: Path, base: Settings, *, trusted: bool
) -> tuple[Settings, tuple[SettingsError, ...]]:
    if not path.is_file():
        return base, ()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return base, (SettingsError(f"{path} cannot be read: {error}.", "It is ignored."),)
    settings, errors = read(raw, base, trusted=trusted)
    return settings, tuple(SettingsError(f"{path}: {e.message}", e.hint) for e in errors)


def _merge(
    raw: object, base: msgspec.Struct, prefix: str, errors: list[SettingsError], *, trusted: bool
) -> msgspec.Struct:
    """Return ``base`` with the good values of ``raw``; what is bad goes to ``errors``."""
    if raw is None or raw == []:
        return base
    if not isinstance(raw, Mapping):
        name = f"`{prefix.rstrip('.')}`" if prefix else "The settings"
        errors.append(SettingsError(f"{name} must be a table of settings.", "It is ignored."))
        return base
    fields = {field.encode_name: field for field in msgspec.structs.fields(type(base))}
    changes: dict[str, Any] = {}
    for key, value in raw.items():
        name = f"{prefix}{key}"
        if key not in fields:
            errors.append(_unknown(name, str(key), fields))
            continue
        old = getattr(base, fields[key].name)
        if isinstance(old, msgspec.Struct):
            new = _merge(value, old, f"{name}.", errors, trusted=trusted)
        else:
            new = _value(value, fields[key].type, old, name, errors, trusted=trusted)
        changes[fields[key].name] = new
    return msgspec.structs.replace(base, **changes)


def _value(
    value: object, kind: Any, old: Any, name: str, errors: list[SettingsError], *, trusted: bool
) -> Any:
    if value is None:
        return old
    if not trusted and (refusal := _refusal(name, value)):
        errors.append(SettingsError(f"`{name}` {refusal}.", _kept(old)))
        return old
    if value == [] and isinstance(old, Mapping):
        return {}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        choices = ", ".join(_choices(kind))
        reason = f"must be one of {choices}" if choices else _plain(str(error))
        errors.append(SettingsError(f"`{name}` has a bad value: {reason}.", _kept(old)))
        return old


def _refusal(name: str, value: object) -> str:
    if name in _TRUSTED_KEYS:
        return "cannot be set by a workspace"
    if name == "model" and not (isinstance(value, str) and _CATALOGUE_NAME.fullmatch(value)):
        return "may be a name of the catalogue but no path when a workspace sets it"
    return ""


def _unknown(name: str, key: str, fields: Mapping[str, object]) -> SettingsError:
    close = difflib.get_close_matches(key, fields, n=1)
    stem = name.removesuffix(key)
    hint = f"Did you mean `{stem}{close[0]}`?" if close else "It is ignored."
    return SettingsError(f"`{name}` is no setting.", hint)


def _kept(old: object) -> str:
    return f"{msgspec.json.encode(old).decode()} is used."


def _choices(kind: Any) -> Iterator[str]:
    """Yield the words a ``Literal``, wrapped in ``Annotated`` or not, allows."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(inner) is Literal:
        yield from get_args(inner)


def _plain(reason: str) -> str:
    """Say what msgspec found in words that fit into a sentence."""
    return reason[:1].lower() + reason[1:].replace(" - at `$", " at `").rstrip(".")
