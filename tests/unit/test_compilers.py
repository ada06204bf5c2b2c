"""The compilers that languages name: they see what does not compile, and run nothing."""

import shutil

import pytest

from fimble.check.command import compiles
from goldens import LANGUAGES

WRITES = {
    "python": "open({!r}, 'w')\n",
    "javascript": "require('fs').writeFileSync({!r}, '')\n",
    "bash": "touch {!r}\n",
    "go": 'package a\n\nimport "os"\n\nfunc init() {{ os.Create({!r}) }}\n',
    "lua": "io.open({!r}, 'w')\n",
    "php": "<?php touch({!r});\n",
    "ruby": "#!/usr/bin/ruby -w\nBEGIN {{ File.write({!r}, '') }}\n",
}
BROKEN = {
    "python": "break\n",
    "javascript": "const a = 1; const a = 2;\n",
    "bash": "if then fi\n",
    "go": "package a\n\nfunc f( {\n",
    "lua": "goto nowhere\n",
    "php": "<?php function f( {\n",
    "ruby": "def f\n",
}


def language_of(name):
    language = LANGUAGES.get(name)
    program = language.compilers[0][0]
    if program != "{python}" and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return language


def test_all_are_tried():
    assert {one.id for one in LANGUAGES if one.compilers} == WRITES.keys() == BROKEN.keys()


@pytest.mark.parametrize("name", WRITES)
async def test_nothing_is_run(name, tmp_path, monkeypatch):
    written = tmp_path / "written"
    (tmp_path / "hook").write_text(f"touch '{written}'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "hook"))
    monkeypatch.setenv("NODE_OPTIONS", "--require ./nowhere")
    monkeypatch.setenv("RUBYOPT", "-rnowhere")

    assert await compiles(language_of(name), "a", WRITES[name].format(str(written)))
    assert not written.exists()


@pytest.mark.parametrize("name", BROKEN)
async def test_what_does_not_compile_is_seen(name):
    assert await compiles(language_of(name), "a", BROKEN[name]) is False


async def test_a_module_compiles_too():
    assert await compiles(language_of("javascript"), "a.mjs", "export const a = await 1;\n")
    assert await compiles(language_of("javascript"), "a.cjs", "with (a) { b; }\n")


async def test_nobody_knows_without_a_compiler():
    assert await compiles(LANGUAGES.get("kotlin"), "a", "fun f( {") is None
