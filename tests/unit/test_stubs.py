"""What is a stub in each language, and what is code."""

import pytest

from fimble.source.around import code_within, enclosing, stub_of
from goldens import LANGUAGES, snapshot_of

FILES = {
    "bash": ("a.sh", "f() {█\n  BODY\n}\n"),
    "c": ("a.c", "int f(int a) {█\n    BODY\n}\n"),
    "cpp": ("a.cpp", "int f(int a) {█\n    BODY\n}\n"),
    "csharp": ("A.cs", "class A\n{\n    int F(int a)█\n    {\n        BODY\n    }\n}\n"),
    "go": ("a.go", "package a\n\nfunc f(a int) int {█\n\tBODY\n}\n"),
    "java": ("A.java", "class A {\n    int f(int a) {█\n        BODY\n    }\n}\n"),
    "javascript": ("a.js", "function f(a) {█\n  BODY\n}\n"),
    "kotlin": ("a.kt", "fun f(a: Int): Int {█\n    BODY\n}\n"),
    "lua": ("a.lua", "function f(a)█\n  BODY\nend\n"),
    "php": ("a.php", "<?php\nfunction f($a)\n{█\n    BODY\n}\n"),
    "python": ("a.py", "def f(a):█\n    BODY\n"),
    "ruby": ("a.rb", "def f(a)█\n  BODY\nend\n"),
    "rust": ("a.rs", "fn f(a: i32) -> i32 {█\n    BODY\n}\n"),
    "swift": ("a.swift", "func f(a: Int) -> Int {█\n    BODY\n}\n"),
    "tsx": ("a.tsx", "function f(a: number): number {█\n  BODY\n}\n"),
    "typescript": ("a.ts", "function f(a: number): number {█\n  BODY\n}\n"),
}
THROWN = ["throw new Error('not implemented');", "throw Error('TODO: f(a)')"]
NOT_THROWN = ["throw new Error(`no ${a}`);", "throw new Error('todo'); return f(a);", "return 0;"]
STUBS = {
    "bash": [":", ": # later"],
    "c": ["abort();", 'assert(0 && "not implemented");', "abort(); /* later */"],
    "cpp": ['throw std::logic_error("Not implemented");', "abort();  // TODO"],
    "csharp": [
        "throw new NotImplementedException();",
        "throw new NotImplementedException(nameof(F));",
    ],
    "go": ['panic("not implemented")', 'panic(fmt.Sprintf("todo: %d", a)) // later'],
    "java": [
        "throw new UnsupportedOperationException();",
        'throw new UnsupportedOperationException(\n            "later");',
        'throw new RuntimeException("Not implemented yet");',
    ],
    "javascript": THROWN,
    "kotlin": ["TODO()", 'TODO("later")', 'throw NotImplementedError("f") // later'],
    "lua": ["error('not implemented')", 'error("TODO") -- later'],
    "php": ["throw new Exception('todo');", 'throw new \\RuntimeException("not implemented");'],
    "python": [
        "pass",
        "...",
        "raise NotImplementedError",
        'raise NotImplementedError("f")',
        "raise NotImplementedError(type(a))",
        "pass  # later",
    ],
    "ruby": [
        "raise NotImplementedError",
        'raise NotImplementedError, "f unless told"',
        "raise NotImplementedError.new('f')",
        "raise(NotImplementedError)",
        "raise NotImplementedError # later",
    ],
    "rust": ["todo!()", "unimplemented!();", 'todo!("{}", f(a)); // later', 'panic!("TODO")'],
    "swift": ["fatalError()", 'fatalError("init(coder:) has not been implemented")  // later'],
    "tsx": THROWN,
    "typescript": THROWN,
}
CODE = {
    "bash": ["true", ": > log"],
    "c": ["return 0;", "return NULL;", "abort(); f(a);"],
    "cpp": ["return {};", 'throw std::runtime_error("no file");', "abort(); f(a);"],
    "csharp": ["return false;", "throw new NotImplementedException(); F(a);"],
    "go": ["panic(err)", 'panic("todo"); f(a)', 'panic("todo")\n\tf(a)'],
    "java": ["return false;", "return null;", 'throw new IllegalStateException("closed");'],
    "javascript": NOT_THROWN,
    "kotlin": ["TODO() + f(a)", "TODO()\n    f(a)"],
    "lua": ["error(message)", "error('todo') f(a)"],
    "php": ["throw new Exception($a);", "throw new Exception('todo'); f($a);", "return null;"],
    "python": ["return None", "raise NotImplementedError()\n    f(a)", "raise ValueError('todo')"],
    "ruby": [
        "nil",
        "raise NotImplementedError unless a",
        'raise NotImplementedError, "f" if a',
        "raise NotImplementedError unless a\n  a * 2",
        "raise NotImplementedError, a.inspect",
    ],
    "rust": ['panic!("{a}")', "todo!(); f(a)", "todo!()\n    + 1"],
    "swift": ['fatalError("out of range")', "fatalError()\n    f(a)"],
    "tsx": NOT_THROWN,
    "typescript": NOT_THROWN,
}


def stub(language, body):
    """The stub that a function with this body is, and the function's code."""
    name, marked = FILES[language]
    snapshot, offset = snapshot_of(name, marked.replace("BODY", body))
    assert snapshot.language.id == language
    function = enclosing(snapshot, LANGUAGES, offset, offset, callable_only=True)
    first, last = code_within(snapshot, LANGUAGES, function)
    return stub_of(snapshot, LANGUAGES, function), snapshot.text[first:last]


def each(table):
    return [(language, body) for language, bodies in table.items() for body in bodies]


@pytest.mark.parametrize(("language", "body"), each(STUBS))
def test_what_says_that_it_is_not_written_is_a_stub(language, body):
    found, code = stub(language, body)
    assert found is not None
    assert body.startswith(code)


@pytest.mark.parametrize(("language", "body"), each(CODE))
def test_what_does_something_is_none(language, body):
    found, code = stub(language, body)
    assert found is None
    assert code == body


@pytest.mark.parametrize("language", sorted(STUBS.keys() - {"python"}))
def test_an_empty_body_is_one(language):
    found, code = stub(language, "")
    assert found is not None
    assert code == ""


def test_every_language_that_has_stubs_is_tried():
    known = {language.id for language in LANGUAGES if language.stubs}
    assert known == set(FILES) == set(STUBS) == set(CODE)
