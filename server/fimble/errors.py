"""Everything Fimble raises on purpose, on one screen.

    FimbleError
    ├── SettingsError            a setting is unknown or has a bad value
    ├── HistoryError             the file with the history of suggestions cannot be used
    ├── SandboxRefused           code cannot be run apart from everything else
    ├── ModelError
    │   ├── UnknownModel         the name is in no catalogue and no file has it
    │   ├── ModelMissing         known, but not downloaded yet
    │   ├── DigestMismatch       the bytes are not the publisher's
    │   ├── DownloadFailed       every source failed (no network, refused, cut off)
    │   ├── DiskFull             not enough room for the file
    │   └── UnsupportedModel     not a GGUF, unknown architecture, or no FIM tokens
    └── EngineError
        ├── EngineLoading        the model is not ready yet
        ├── EngineDown           the worker crashed and is being restarted
        ├── EngineClosed         the server is shutting down
        └── PromptTooLong        the prompt does not fit the context

Each carries one sentence for the user and a hint that says what to do. Foreign errors are
mapped to these at the door where they enter; broken source code is never an error.
"""


class FimbleError(Exception):
    """Base of everything Fimble raises: one sentence for the user, one hint what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SettingsError(FimbleError):
    """A setting is unknown or has a bad value; the default is used instead."""


class HistoryError(FimbleError):
    """The file with the history of suggestions cannot be read or written."""


class SandboxRefused(FimbleError):
    """Code cannot be run apart from everything else here, so it is not run."""


class ModelError(FimbleError):
    """Something is wrong with a model file or with getting it."""


class UnknownModel(ModelError):
    """The name is in no catalogue and is no path to a file."""


class ModelMissing(ModelError):
    """The model is known but its file is not on this machine yet."""


class DigestMismatch(ModelError):
    """The downloaded bytes are not the publisher's."""


class DownloadFailed(ModelError):
    """No source delivered the file."""


class DiskFull(ModelError):
    """There is not enough room for the file."""


class UnsupportedModel(ModelError):
    """The file is no GGUF, its architecture is unknown, or it has no FIM tokens."""


class EngineError(FimbleError):
    """The engine cannot answer now."""


class EngineLoading(EngineError):
    """The model is still being loaded; ask again later."""


class EngineDown(EngineError):
    """The worker process died; it is restarted by itself."""


class EngineClosed(EngineError):
    """The server is shutting down."""


class PromptTooLong(EngineError):
    """The prompt does not fit the model's context."""


def from_name(name: str, message: str, hint: str = "") -> FimbleError:
    """An error that crossed a process boundary, by its class name; `EngineDown` if unknown."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, FimbleError):
        return kind(message, hint)
    return EngineDown(message, hint)
