"""Where the tests of a file belong: as the workspace has it, else by the language's custom."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.features.writing import path_of

if TYPE_CHECKING:
    from fimble.features.offer import Task
    from fimble.source.languages import Framework, Tests

MAX_FILES: Final = 20_000
"""Files of a workspace that are looked at by their names: a second at most."""
MAX_READ: Final = 8
"""Files with tests that are read to see how the project tests."""
MAX_BYTES: Final = 256 * 1024
_IDENTIFIERS: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of the workspace: its folder, and the text of the files that are open."""

    root: Path
    opened: Mapping[str, str]

    def read(self, path: PurePosixPath) -> str | None:
        """Return the text of a file, given from the root; None if there is none to read."""
        from fimble.source.walk import read_source  # noqa: PLC0415  (pathspec: not at the start)

        whole = self.root / path
        text = self.opened.get(whole.as_posix())
        return read_source(whole, MAX_BYTES) if text is None else text


def project_of(task: Task) -> tuple[Project, PurePosixPath]:
    """Return the workspace of a task, and where in it its file is; its folder, if it has none."""
    snapshot = task.snapshot
    path = PurePosixPath(path_of(snapshot))
    root = path.parent if task.root is None else PurePosixPath(task.root.as_posix())
    if not path.is_relative_to(root):
        root = path.parent
    opened = {where: one.text for where, one in task.opened.items()}
    project = Project(Path(root), opened | {path.as_posix(): snapshot.text})
    return project, path.relative_to(root)


@dataclass(frozen=True, slots=True)
class Place:
    """Where tests go and how they are written.

    ``path`` is seen from the root, ``text`` is what stands there; None if there is no such file.
    ``words`` are the values of the framework's placeholders.
    """

    framework: Framework
    path: PurePosixPath
    text: str | None
    words: Mapping[str, str]

    def filled(self, template: str) -> str:
        """Return a template of the framework with its placeholders filled in."""
        return template.format(**self.words)


def place_for(
    project: Project, path: PurePosixPath, tests: Tests, name: str, subject: str
) -> Place | None:
    """Return where tests of ``subject`` go, which is in ``path`` and got by importing ``name``.

    None if no test could import it. Reads the names of files, and a few files: not for the loop.
    """
    text = project.read(path) or ""
    words = {
        "name": name,
        "Name": "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", name)),
        "subject": subject,
        "stem": path.stem,
        "ext": path.suffix,
        "folder": _mirrored(path.parent.as_posix(), tests.mirror),
        "module": ".".join(_module(project, path, tests.package)),
    }
    fitting = [one for one in tests.frameworks if re.search(one.fits, text, re.MULTILINE)]
    if not fitting or (tests.package and not _IDENTIFIERS.fullmatch(words["module"])):
        return None
    known = _tested(project, path, tests)
    own = [one for one in known if _belongs(project, one, fitting, words)]
    looked = [project.read(one) or "" for one in (own or known)[:MAX_READ]]
    framework = _framework(fitting, looked, _manifests(project, path, tests))
    at = own[0] if own else _new(project, framework, known, path, words)
    folder = at.parent.as_posix()
    relative = posixpath.relpath(path.with_suffix("").as_posix(), folder)
    words["relative"] = relative if relative.startswith(".") else f"./{relative}"
    return Place(framework, at, text if at == path else project.read(at), words)


def is_test_file(path: PurePosixPath, tests: Tests) -> bool:
    """Tell by its name whether a file holds tests and nothing else."""
    return any(
        re.fullmatch(_name_pattern(file), path.name)
        for one in tests.frameworks
        for file in one.files
        if not _is_own(file)
    )


def _is_own(file: str) -> bool:
    """Tell whether tests are part of the file that they test."""
    return re.sub(r"\{ext\}|\.\w+$", "", PurePosixPath(file).name) == "{stem}"


def _name_pattern(file: str) -> str:
    """Return the regular expression for the names of files with tests."""
    parts = re.split(r"(\{\w+\})", PurePosixPath(file).name)
    known = {"{stem}": r"(?P<stem>.+?)", "{ext}": r"\.\w+"}
    return "".join(known.get(part, re.escape(part)) for part in parts)


def _mirrored(folder: str, mirror: tuple[str, str]) -> str:
    code, tests = mirror
    return (
        re.sub(rf"(?<![^/]){re.escape(code)}(?![^/])", tests, folder, count=1) if code else folder
    )


def _module(project: Project, path: PurePosixPath, package: str) -> Iterator[str]:
    """Yield the parts of the path by which a file is imported."""
    folders = [one for one in path.parents if one.name]
    marked = [one for one in folders if package and (project.root / one / package).is_file()]
    if marked:
        folders = folders[: folders.index(marked[-1]) + 1]
    elif folders and folders[-1].name in {"src", "lib"}:
        folders.pop()
    yield from (one.name for one in reversed(folders))
    if path.name != package:
        yield path.stem


def _tested(project: Project, path: PurePosixPath, tests: Tests) -> list[PurePosixPath]:
    """Return the files with tests that are there, the nearest first.

    Of those that are as near, those come first whose folder is called as the file's own is.
    """
    from fimble.source.walk import Rules  # noqa: PLC0415  (pathspec: not at the start)

    files = (PurePosixPath(one.path) for one in islice(Rules(project.root).walk(), MAX_FILES))
    known = [one for one in files if one != path and is_test_file(one, tests)]
    folders = Counter(one.parent for one in known)

    def distance(one: PurePosixPath) -> tuple[int, bool, int, str]:
        shared = PurePosixPath(posixpath.commonpath((one.parent, path.parent)))
        is_other = one.parent.name != path.parent.name
        return -len(shared.parts), is_other, -folders[one.parent], one.as_posix()

    return sorted(known, key=distance)


def _belongs(
    project: Project, test: PurePosixPath, fitting: Sequence[Framework], words: Mapping[str, str]
) -> bool:
    """Tell whether a file holds the tests of the file in question."""
    names = {PurePosixPath(file).name.format(**words) for one in fitting for file in one.files}
    return test.name in names and words["stem"] in (project.read(test) or "")


def _manifests(project: Project, path: PurePosixPath, tests: Tests) -> list[str]:
    """Return the files that say what a project uses, the nearest first."""
    places = [folder / name for folder in path.parents for name in tests.manifests]
    return [text for place in places if (text := project.read(place)) is not None]


def _framework(
    fitting: Sequence[Framework], looked: Sequence[str], manifests: Sequence[str]
) -> Framework:
    """Return the framework that the first of the texts is seen to use; else the usual one."""
    used = (
        one
        for text in (*looked, *manifests)
        for one in fitting
        if one.seen and re.search(one.seen, text, re.MULTILINE)
    )
    return next(used, fitting[0])


def _new(
    project: Project,
    framework: Framework,
    known: Sequence[PurePosixPath],
    path: PurePosixPath,
    words: Mapping[str, str],
) -> PurePosixPath:
    """Return the path of a file with tests that is named and placed as the others are."""
    named = {
        file: [one for one in known if re.fullmatch(_name_pattern(file), one.name)]
        for file in framework.files
    }
    pattern = max(framework.files, key=lambda file: len(named[file]))
    usual = PurePosixPath(pattern.format(**words))
    if not named[pattern] or pattern.startswith("{folder}"):
        return usual
    nearest = named[pattern][0]
    found = re.fullmatch(_name_pattern(pattern), nearest.name)
    assert found is not None, "it is named so"
    is_beside = (project.root / nearest.with_name(found["stem"] + path.suffix)).is_file()
    return (path.parent if is_beside else nearest.parent) / usual.name
