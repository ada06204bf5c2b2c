"""``fimble doctor``: what is installed, which model, how fast it is here, and what to change."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import platformdirs
import psutil
from rich.console import Console

from fimble import __version__
from fimble.engine.base import EngineStatus
from fimble.engine.draft import GUESS, Acceptance
from fimble.engine.messages import Profile
from fimble.errors import FimbleError, ModelError, SettingsError
from fimble.launch import find_model
from fimble.measure.once import start_engine
from fimble.models.files import human_size, size_of
from fimble.models.optimized import find
from fimble.models.profile import cache_directory, forget, profile_key
from fimble.models.store import Store, open_store
from fimble.settings import FILE_NAME, Settings, load_files
from fimble.source.languages import Languages

CPU_INFO: Final = Path("/proc/cpuinfo")
INSTRUCTION_SETS: Final = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8"),
    *("asimd", "asimddp", "i8mm", "sve"),
)
"""What llama.cpp has kernels for, as Linux spells it."""
ASK_GPU: Final = "from fimble.engine.llama.model import supports_gpu; print(supports_gpu())"
X86: Final = frozenset({"x86_64", "amd64"})
NAME_CELLS: Final = 13
BUSY: Final = (
    "The machine is busy, so the model's speed was not measured:"
    " run `fimble doctor --calibrate` when nothing else runs."
)
CHILD_SECONDS: Final = 60.0

SLOW_PREFILL: Final = 60.0
SLOW_DECODE: Final = 12.0
"""Tokens a second below which twelve written tokens, a usual answer, take over a second."""
ROOM_BESIDE_MODEL: Final = 500_000_000
"""Bytes for the KV cache, llama.cpp's buffers and the server beside the weights."""


@dataclass(slots=True)
class Findings:
    """What was found: rows to show, advice to follow, and whether Fimble can work like this."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    usable: bool = True

    def add(self, name: str, *values: str) -> None:
        """Add a row for each value; the name is shown once."""
        self.rows += [(name if index == 0 else "", value) for index, value in enumerate(values)]

    def broken(self, advice: str) -> None:
        """Note what keeps Fimble from working."""
        self.usable = False
        self.advice.append(advice)


def doctor(*, calibrate: bool = False) -> int:
    """Print what there is and what to change; 0 if Fimble can complete code here, 1 if not.

    With ``calibrate`` what was measured of the model before is measured anew.
    """
    findings = Findings()
    settings, problems = load_files(Path.cwd())
    store = open_store()
    look_at_machine(findings)
    has_gpu = look_at_llama(findings)
    look_at_settings(findings, problems)
    look_at_store(findings, store)
    look_at_model(findings, store, settings, has_gpu=has_gpu, calibrate=calibrate)
    look_at_grammars(findings)
    look_at_cache(findings)
    show(findings, Console(highlight=False, markup=False))
    return 0 if findings.usable else 1


def show(findings: Findings, console: Console) -> None:
    """Print the rows, then the advice."""
    for name, value in findings.rows:
        console.print(f"{name:{NAME_CELLS}}{value}", soft_wrap=True)
    console.print()
    for advice in findings.advice:
        console.print(f"- {advice}", soft_wrap=True)
    if not findings.usable:
        console.print("Fimble cannot complete code like this.", soft_wrap=True)
    elif not findings.advice:
        console.print("All is well.")


def look_at_machine(findings: Findings) -> None:
    """Python, system, processor and memory."""
    memory = psutil.virtual_memory()
    cores = f"{psutil.cpu_count(logical=False)} cores, {psutil.cpu_count()} threads"
    findings.add("fimble", __version__)
    findings.add("python", f"{platform.python_version()} ({sys.executable})")
    findings.add("system", platform.platform())
    findings.add("processor", ", ".join([cores, *instruction_sets()]))
    findings.add("memory", f"{human_size(memory.available)} of {human_size(memory.total)} free")


def instruction_sets() -> list[str]:
    """Return those that make llama.cpp fast; empty where the system does not tell cheaply."""
    try:
        flags = set(CPU_INFO.read_text("utf-8", "replace").split())
    except OSError:
        return []
    return [name for name in INSTRUCTION_SETS if name in flags]


def look_at_llama(findings: Findings) -> bool:
    """Find llama.cpp and whether it was built for a GPU; a child asks, for it may crash."""
    try:
        version = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        findings.add("llama.cpp", "llama-cpp-python is not installed")
        findings.broken(f"Install it: {install_llama()}")
        return False
    done = subprocess.run(
        [sys.executable, "-c", ASK_GPU],
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    answer = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or answer not in {"True", "False"}:
        findings.add("llama.cpp", f"llama-cpp-python {version} cannot be loaded")
        findings.broken(f"Build llama-cpp-python again: {install_llama()}")
        return False
    has_gpu = answer == "True"
    built = "built for a GPU" if has_gpu else "built for the processor alone"
    findings.add("llama.cpp", f"llama-cpp-python {version}, {built}")
    if not has_gpu:
        findings.advice += gpu_advice()
    return has_gpu


def gpu_advice() -> list[str]:
    """Say how to use a GPU that this machine seems to have."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return [f"Use this machine's GPU: {install_llama('-DGGML_METAL=on')}"]
    if shutil.which("nvidia-smi"):
        return [f"Use the NVIDIA GPU (needs the CUDA toolkit): {install_llama('-DGGML_CUDA=on')}"]
    return []


def install_llama(cmake_args: str = "") -> str:
    """Return the command that builds llama-cpp-python anew."""
    version = next(
        requirement.partition(";")[0]
        for requirement in importlib.metadata.requires("fimble") or ["llama-cpp-python"]
        if requirement.startswith("llama-cpp-python")
    )
    prefix = f'CMAKE_ARGS="{cmake_args}" ' if cmake_args else ""
    return (
        f"{prefix}{sys.executable} -m pip install --force-reinstall --no-deps --no-cache-dir"
        f" --no-binary llama-cpp-python {version}"
    )


def look_at_settings(findings: Findings, problems: Iterable[SettingsError]) -> None:
    """List the settings files that are there, and what is wrong in them."""
    directories = (platformdirs.user_config_path("fimble", appauthor=False), Path.cwd())
    files = [directory / FILE_NAME for directory in directories]
    found = [str(file) for file in files if file.is_file()]
    findings.add("settings", *(found or ["no files; the defaults"]))
    findings.advice += [f"Settings: {problem}" for problem in problems]


def look_at_store(findings: Findings, store: Store) -> None:
    """List the models that are here, and the room for more."""
    findings.add("models in", str(store.directory))
    try:
        present = [entry for entry in store.entries() if store.has(entry)]
    except ModelError as error:
        findings.advice.append(str(error))
        present = [entry for entry in store.catalogue.models if store.has(entry)]
    findings.add("", *(f"{entry.name} ({human_size(entry.size)})" for entry in present))
    if present:
        findings.add("", "`fimble models verify` compares every byte with its digest")
    existing = next(path for path in (store.directory, *store.directory.parents) if path.is_dir())
    findings.add("", f"{human_size(shutil.disk_usage(existing).free)} of disk free")


def look_at_model(
    findings: Findings, store: Store, settings: Settings, *, has_gpu: bool, calibrate: bool
) -> None:
    """Load the model that the settings want, if it is here, and see how fast it is."""
    findings.add("model", settings.model)
    try:
        path = find_model(settings)
        size = path.stat().st_size
        if calibrate:
            forget(profile_key(path))
        status = asyncio.run(_measured(settings))
    except FimbleError as error:
        findings.add("", error.message)
        findings.broken(str(error))
        return
    profile = status.profile
    if status.info is None or profile is None:
        findings.broken("The model was loaded but does not answer; see `fimble models verify`.")
        return
    findings.add(
        "",
        f"{status.info.description}, {status.info.architecture}",
        f"{profile.n_threads} threads, context of {profile.n_ctx} tokens,"
        f" flash attention {'on' if profile.flash_attention else 'off'},"
        f" on the {'GPU' if profile.n_gpu_layers else 'processor'}",
        *rates_of(profile),
    )
    if not profile.prefill_rate:
        findings.advice.append(BUSY)
    is_slow = profile.prefill_rate < SLOW_PREFILL or profile.decode_rate < SLOW_DECODE
    if is_slow and profile.prefill_rate:
        findings.advice += speed_advice(store, size, has_gpu=has_gpu)
    if not has_gpu:
        findings.advice += optimize_advice(store, settings)
    if psutil.virtual_memory().available < size + ROOM_BESIDE_MODEL:
        findings.advice.append("Memory is short for this model: close other programs.")


def rates_of(profile: Profile) -> list[str]:
    """Say what was measured, if anything was."""
    if not profile.prefill_rate:
        return []
    drafted = Acceptance(profile.batch_costs).length(GUESS)
    return [
        f"reads {profile.prefill_rate:.0f} and writes {profile.decode_rate:.0f} tokens a second",
        f"drafts up to {drafted} tokens at once" if drafted else "does not draft: it would not pay",
    ]


def optimize_advice(store: Store, settings: Settings) -> list[str]:
    """Advise on an x86 processor to make the default model faster: others have kernels for it."""
    entry = store.find(store.catalogue.default)
    wanted = settings.model == entry.name and settings.optimize == "auto"
    if not wanted or platform.machine().lower() not in X86 or find(store.directory, entry):
        return []
    return [f"Make the model faster on this processor: `fimble models optimize {entry.name}`."]


async def _measured(settings: Settings) -> EngineStatus:
    engine = await start_engine(settings)
    try:
        return engine.status
    finally:
        await engine.close()


def speed_advice(store: Store, size: int, *, has_gpu: bool) -> list[str]:
    """Say what makes a slow model faster."""
    advice = []
    smaller = [entry for entry in store.catalogue.models if entry.size < size]
    if smaller:
        names = " or ".join(entry.name for entry in smaller)
        advice.append(f"This model is slow here: set `model` to {names}.")
    if not has_gpu:
        advice.append(
            "llama.cpp is slow here: build it for this very processor,"
            f" {install_llama('-DGGML_NATIVE=on')}"
        )
    advice.append("Measure again when nothing else runs: `fimble doctor --calibrate`.")
    return advice


def look_at_grammars(findings: Findings) -> None:
    """Load every grammar."""
    languages = Languages.load()
    wanted = [language for language in languages if language.grammar_package]
    missing = [language for language in wanted if languages.grammar(language) is None]
    findings.add("grammars", f"{len(wanted) - len(missing)} of {len(wanted)} languages")
    if missing:
        packages = " ".join(sorted({language.grammar_package for language in missing}))
        findings.advice.append(
            f"{', '.join(language.name for language in missing)} files are plain text to Fimble:"
            f" {sys.executable} -m pip install {packages}"
        )


def look_at_cache(findings: Findings) -> None:
    """Say where profiles and what the model has read are kept, and how much that is."""
    directory = cache_directory()
    size = sum(size_of(path) for path in directory.rglob("*") if path.is_file())
    findings.add("cache in", f"{directory} ({human_size(size)})")
