"""What the calibration measured, kept so that it is measured once per model and machine.

A profile is a plain dictionary here; the engine knows what its values mean. Each lies in one
small file below `FIMBLE_CACHE_DIR`, or the user's cache directory.
"""

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any, Final

from fimble.models.files import write_private

VERSION: Final = 2
"""Raised when the calibration measures more than before: older profiles are measured anew."""
CPU_INFO: Final = Path("/proc/cpuinfo")


def cache_directory() -> Path:
    """Return what `FIMBLE_CACHE_DIR` says, or the user's cache directory."""
    chosen = os.environ.get("FIMBLE_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    # Imported late: a server whose directory is given needs none of it.
    import platformdirs  # noqa: PLC0415

    return Path(platformdirs.user_cache_dir("fimble", appauthor=False))


def profile_key(model: Path) -> str:
    """Name everything a measurement depends on: the file, llama.cpp's build and the machine.

    Raises `OSError` if the file is not there.
    """
    file = model.stat()
    return " | ".join(
        (
            f"{model.name} {file.st_size} bytes {file.st_mtime_ns}",
            f"llama-cpp-python {_version('llama-cpp-python')} profile {VERSION}",
            machine(),
        )
    )


def machine() -> str:
    """Name what a model's speed depends on besides the file and llama.cpp."""
    return f"{os.cpu_count()} x {_processor()} {platform.machine()}"


def load(key: str) -> dict[str, Any] | None:
    """Return the profile kept under the key; None if there is none that can be read."""
    try:
        content = json.loads(_path(key).read_bytes())
    except (OSError, ValueError):
        # A damaged profile costs a new measurement, nothing more.
        return None
    if not isinstance(content, dict) or content.get("key") != key:
        return None
    profile = content.get("profile")
    return profile if isinstance(profile, dict) else None


def save(key: str, profile: dict[str, Any]) -> None:
    """Keep the profile, replacing an older one; raises `OSError` if it cannot be written."""
    content = json.dumps({"key": key, "profile": profile}, indent=2)
    write_private(_path(key), content.encode() + b"\n")


def forget(key: str) -> None:
    """Measure anew at the next start; raises `OSError` if the profile cannot be removed."""
    _path(key).unlink(missing_ok=True)


def _path(key: str) -> Path:
    return cache_directory() / "profiles" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _version(package: str) -> str:
    from importlib import metadata  # noqa: PLC0415  (brings a parser of mail: not at the start)

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    """Return the processor's marketing name: a virtual machine may move between kinds."""
    try:
        lines = CPU_INFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
