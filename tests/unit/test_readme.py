import runpy
import tomllib
from pathlib import Path

from fimble.cli import build_parser
from fimble.features.complete import Reason
from fimble.models.catalogue import load_catalogue
from fimble.models.files import human_size
from fimble.settings import read
from fimble.source.languages import PLAIN, Languages

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def between(start, end):
    return README.partition(start)[2].partition(end)[0]


def test_the_settings_table_is_what_the_schema_says():
    script = runpy.run_path(str(ROOT / "scripts" / "readme.py"))
    assert script["with_table"](README) == README, "run `make fix`"


def test_the_example_settings_are_good():
    settings, problems = read(tomllib.loads(between("```toml\n", "```")))
    assert problems == ()
    assert settings.model in {entry.name for entry in load_catalogue().models}


def test_all_models_of_the_catalogue_are_named():
    for entry in load_catalogue().models:
        assert f"| `{entry.name}` | {human_size(entry.size)} | {entry.licence} |" in README


def test_all_languages_are_named():
    names = sorted(one.name for one in Languages.load() if one is not PLAIN)
    sentence = between("understood by their syntax: ", ".\n")
    assert sorted(sentence.replace(" and ", ", ").split(", ")) == names
    assert f"Files in {len(names)} languages" in README


def test_all_reasons_are_named():
    sentence = between("\nReasons are ", "\n")
    assert [reason for reason in Reason if f"`{reason}`" not in sentence] == []


def test_all_commands_are_named():
    table = between("## Commands", "##")
    usage = build_parser().format_help()
    commands = [line.split()[0] for line in usage.splitlines() if line.startswith("    ")]
    assert {"serve", "demo", "doctor"} <= set(commands)
    assert [name for name in commands if f"`fimble {name}" not in table] == []


def test_the_pinned_llama_is_the_one_in_the_instructions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (pinned,) = (one for one in project["dependencies"] if one.startswith("llama-cpp-python"))
    assert README.count(f"--no-binary llama-cpp-python {pinned}\n") == 2
