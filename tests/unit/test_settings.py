"""Settings: complete defaults, one error for each bad value, and who may set what."""

import json

import msgspec
import pytest

from fimble import settings
from fimble.settings import DEFAULTS, Settings, load_files, read


def problems(raw, **options):
    result, errors = read(raw, **options)
    return result, [str(error) for error in errors]


@pytest.mark.parametrize("raw", [None, {}, {"completion": {}}, {"completion": None}])
def test_nothing_set_gives_the_defaults(raw):
    assert read(raw) == (DEFAULTS, ())


@pytest.mark.parametrize("raw", [[], {"completion": []}, {"actions": {"checkers": []}}])
def test_an_empty_list_is_how_lua_writes_an_empty_table(raw):
    assert problems(raw) == (DEFAULTS, [])


def test_the_defaults_themselves_are_valid_settings():
    assert problems(json.loads(msgspec.json.encode(DEFAULTS))) == (DEFAULTS, [])


def test_values_are_taken_by_their_camel_case_names():
    raw = {"completion": {"maxTokens": 7, "exclude": ["*.lock"]}, "engine": {"gpuLayers": 0}}
    result, errors = problems(raw)
    assert errors == []
    assert result.completion.max_tokens == 7
    assert result.completion.exclude == ("*.lock",)
    assert result.engine.gpu_layers == 0


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (5, "The settings must be a table of settings. It is ignored."),
        ({"engine": [1]}, "`engine` must be a table of settings. It is ignored."),
        ({"modle": "x"}, "`modle` is no setting. Did you mean `model`?"),
        ({"zzz": 1}, "`zzz` is no setting. It is ignored."),
        (
            {"completion": {"maxToken": 3}},
            "`completion.maxToken` is no setting. Did you mean `completion.maxTokens`?",
        ),
        (
            {"completion": {"maxTokens": "3"}},
            "`completion.maxTokens` has a bad value: expected `int`, got `str`. 96 is used.",
        ),
        (
            {"completion": {"maxTokens": True}},
            "`completion.maxTokens` has a bad value: expected `int`, got `bool`. 96 is used.",
        ),
        (
            {"completion": {"multiline": "maybe"}},
            (
                "`completion.multiline` has a bad value: must be one of auto, always, never. "
                '"auto" is used.'
            ),
        ),
        (
            {"completion": {"exclude": ["a", 1]}},
            "`completion.exclude` has a bad value: expected `str`, got `int` at `[1]`. [] is used.",
        ),
        (
            {"engine": {"threads": 0}},
            "`engine.threads` has a bad value: expected `int` >= 1. null is used.",
        ),
    ],
)
def test_a_bad_value_gives_one_error_and_the_default(raw, error):
    assert problems(raw) == (DEFAULTS, [error])


def test_good_values_beside_bad_ones_are_kept():
    result, errors = problems({"model": "other", "x": 1, "engine": {"threads": "no"}})
    assert result == msgspec.structs.replace(DEFAULTS, model="other")
    assert len(errors) == 2


def test_a_bad_value_leaves_what_an_earlier_source_said():
    base, _ = read({"completion": {"maxTokens": 5}})
    result, errors = problems({"completion": {"maxTokens": -1}}, base=base)
    assert result == base
    assert errors == [
        "`completion.maxTokens` has a bad value: expected `int` >= 1. 5 is used.",
    ]


@pytest.mark.parametrize("name", ["qwen2.5-coder-1.5b", "some_model"])
def test_a_workspace_may_name_a_model(name):
    result, errors = problems({"model": name}, trusted=False)
    assert (result.model, errors) == (name, [])


@pytest.mark.parametrize(
    "path", ["/m/x.gguf", "./x", "../x", "x/y", "x.gguf", "X.GGUF", "~x", "C:x", "a\\b", "", "x\n"]
)
def test_a_workspace_may_not_point_at_a_model(path):
    result, errors = problems({"model": path}, trusted=False)
    assert result == DEFAULTS
    assert len(errors) == 1


def test_a_workspace_may_not_allow_downloads():
    base, _ = read({"download": {"auto": False}})
    result, errors = problems({"download": {"auto": True}}, base=base, trusted=False)
    assert not result.download.auto
    assert errors == ["`download.auto` cannot be set by a workspace. false is used."]


def test_a_workspace_may_not_empty_the_users_cache():
    cache = {"cache": {"ramMegabytes": 65536, "diskMegabytes": 0}}
    result, errors = problems(cache, trusted=False)
    assert result == DEFAULTS
    assert len(errors) == 2


def write(directory, text):
    directory.mkdir(exist_ok=True)
    (directory / settings.FILE_NAME).write_text(text, encoding="utf-8")
    return directory


def test_the_workspace_file_wins_over_the_users(tmp_path):
    user = write(tmp_path / "user", 'model = "/mine.gguf"\n[completion]\nmaxTokens = 5\n')
    root = write(tmp_path / "root", '[completion]\nmaxTokens = 6\nmultiline = "never"\n')
    result, errors = load_files(root, user_directory=user)
    assert errors == ()
    assert result.model == "/mine.gguf"
    assert (result.completion.max_tokens, result.completion.multiline) == (6, "never")


@pytest.mark.parametrize("root", [True, False])
def test_missing_files_are_no_error(tmp_path, root):
    assert load_files(tmp_path if root else None, user_directory=tmp_path) == (DEFAULTS, ())


def test_an_error_names_the_file(tmp_path):
    root = write(tmp_path / "root", 'model = "../evil.gguf"')
    _, errors = load_files(root, user_directory=tmp_path)
    assert [error.message.startswith(f"{root / 'fimble.toml'}: `model`") for error in errors] == [
        True
    ]


@pytest.mark.parametrize("content", [b"model = ", b"\xff\xfe", b"\x00"])
def test_a_broken_file_is_ignored_with_one_error(tmp_path, content):
    (tmp_path / "fimble.toml").write_bytes(content)
    result, errors = load_files(None, user_directory=tmp_path)
    assert result == DEFAULTS
    assert len(errors) == 1


def test_every_setting_has_a_description_and_a_default_in_the_schema():
    tables = settings.schema()["$defs"].values()
    fields = [(table, *one) for table in tables for one in table["properties"].items()]
    assert len(fields) > 12
    for table, name, field in fields:
        assert field["description"]
        assert "default" in field or name in table["required"]


def test_custom_actions_are_read():
    raw = {"actions": {"custom": [{"name": "Shout", "prompt": "{selection}", "on": ["class"]}]}}
    result, errors = read(raw)
    assert errors == ()
    assert [(one.name, one.on) for one in result.actions.custom] == [("Shout", ("class",))]
    result, errors = read({"actions": {"custom": [{"name": "x", "prompt": "y", "z": 1}]}})
    assert result == DEFAULTS
    assert len(errors) == 1


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        DEFAULTS.model = "other"
    assert Settings() == DEFAULTS
