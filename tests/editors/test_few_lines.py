"""Editors with nothing but a few lines of configuration, which cannot resolve code actions."""

import json
import subprocess
import sys

import pytest

SECONDS = 30
BEFORE = "def total(prices):\n    return sum(price)\n"
AFTER = BEFORE.replace("(price)", "(prices)")

EMACS = """
(package-initialize)
(require 'eglot)
(setq make-backup-files nil
      create-lockfiles nil
      eglot-confirm-server-initiated-edits nil)
(add-to-list 'eglot-server-programs '(python-mode . (SERVER)))
(find-file FILE)
(call-interactively #'eglot)
(flymake-start)
(eglot-handle-notification
 (eglot-current-server) 'textDocument/publishDiagnostics
 :uri (eglot--path-to-uri FILE)
 :diagnostics
 [(:range (:start (:line 1 :character 15) :end (:line 1 :character 20))
   :severity 1 :code "F821" :message "undefined name 'price'")])
(search-forward "sum(")
(eglot-code-actions (point) nil "quickfix.fimble" t)
(save-buffer)
(eglot-shutdown (eglot-current-server))
"""

VIM = """
set nocompatible noswapfile hidden viminfo=
filetype plugin on
packadd ale
let g:ale_linters = {'python': ['linter', 'fimble']}
call ale#linter#Define('python', {
\\   'name': 'linter',
\\   'executable': 'cat',
\\   'command': 'cat',
\\   'callback': {buffer, lines -> [{
\\       'lnum': 2, 'col': 16, 'end_lnum': 2, 'end_col': 20, 'type': 'E',
\\       'code': 'F821', 'text': "undefined name 'price'",
\\   }]},
\\})
call ale#linter#Define('python', {
\\   'name': 'fimble',
\\   'lsp': 'stdio',
\\   'executable': EXECUTABLE,
\\   'command': '%e ARGUMENTS',
\\   'project_root': {buffer -> fnamemodify(bufname(buffer), ':p:h')},
\\})

function Choose(data, items) abort
    let fixes = filter(copy(a:items), {_, item -> item[1].kind is# 'quickfix.fimble'})
    call ale#codefix#ApplyLSPCodeAction(a:data, fixes[0][1])
endfunction

function Fix() abort
    if !empty(ale#engine#GetLoclist(bufnr('')))
        autocmd! Test User ALELintPost
        " On a word, ALE 3.3 asks without telling what is wrong with it.
        call cursor(2, 15)
        call ale#codefix#Execute(0, function('Choose'))
    endif
endfunction

augroup Test
    autocmd User ALELintPost call Fix()
    autocmd TextChanged * write | quitall!
augroup END
"""


@pytest.fixture
def shop(tmp_path):
    """A folder with a file that is to be mended, and what starts the server for it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    file = folder / "shop.py"
    file.write_text(BEFORE)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"default": "return sum(prices)\n"}))
    return file, [sys.executable, "-P", "-m", "fimble", "serve", "--scripted", str(script)]


def run(command, environment, folder):
    """Run an editor to its end; its standard input stays open."""
    with subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as editor:
        try:
            editor.wait(SECONDS)
        except subprocess.TimeoutExpired:
            editor.kill()
        return editor.stdout.read().decode(errors="replace")


def test_eglot_applies_a_quick_fix(debian_packages, shop, environment):
    debian_packages("emacs-nox", "elpa-eglot")
    file, server = shop
    script = file.with_name("test.el")
    lisp = EMACS.replace("SERVER", " ".join(map(json.dumps, server)))
    script.write_text(lisp.replace("FILE", json.dumps(str(file))))
    home = {"HOME": str(file.parent)}
    said = run(["emacs", "--batch", "--load", str(script)], environment | home, file.parent)
    assert file.read_text() == AFTER, said


def test_ale_applies_a_quick_fix(debian_packages, shop, environment):
    debian_packages("vim-nox", "vim-ale")
    file, server = shop
    script = file.with_name("vimrc")
    vim = VIM.replace("EXECUTABLE", json.dumps(server[0]))
    script.write_text(vim.replace("ARGUMENTS", " ".join(server[1:])))
    home = {"HOME": str(file.parent)}
    command = ["vim", "--not-a-term", "-u", str(script), str(file)]
    said = run(command, environment | home, file.parent)
    assert file.read_text() == AFTER, said
