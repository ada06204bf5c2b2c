"""Definitions as others need them: signatures with the first line of their documentation."""

from textwrap import dedent

import pytest

from fimble.source.identifiers import identifiers
from fimble.source.outline import MAX_SIGNATURE, imported, outline
from fimble.source.text import Snapshot
from goldens import LANGUAGES

CASES = {
    "a.py": (
        '''
        """Module."""
        LIMIT = 3

        @cached
        class Shape(Base):
            """A shape.

            More of it.
            """

            def area(self, scale: float = 1.0) -> float:
                return 1.0

            async def draw(
                self, canvas
            ) -> None:
                \'\'\'Draw it.\'\'\'
        ''',
        '''
        LIMIT = 3
        class Shape(Base):
            """A shape."""
            def area(self, scale: float = 1.0) -> float:
            async def draw(
                self, canvas
            ) -> None:
                \'\'\'Draw it.\'\'\'
        ''',
    ),
    "a.ts": (
        """
        /** A shape. */
        export class Shape extends Base {
          // Its area.
          area(scale: number): number { return 1 }
        }
        export interface Named { name: string }
        export const draw = (shape: Shape) => { shape.area(1) }
        """,
        """
        export class Shape extends Base
          // A shape.
          area(scale: number): number
            // Its area.
        export interface Named
        export const draw = (shape: Shape) =>
        """,
    ),
    "a.go": (
        """
        package a

        // Area of a shape.
        func (s Shape) Area(scale float64) float64 { return 1 }
        """,
        "func (s Shape) Area(scale float64) float64\n\t// Area of a shape.",
    ),
    "a.rs": (
        """
        /// A shape.
        pub struct Shape { size: f64 }
        impl Shape {
            pub fn area(&self) -> f64 { 1.0 }
        }
        """,
        """
        pub struct Shape
            // A shape.
        impl Shape
            pub fn area(&self) -> f64
        """,
    ),
    "a.hpp": (
        """
        class Shape {
        public:
          double area(double scale) const;
        };
        """,
        """
        class Shape
          double area(double scale) const;
        """,
    ),
    "A.java": (
        """
        public class A extends B {
            /** Its area. */
            public double area(double scale) { return 1; }
        }
        """,
        """
        public class A extends B
            public double area(double scale)
                // Its area.
        """,
    ),
}


def parsed(name, text):
    language = LANGUAGES.for_path(name)
    return Snapshot.open(name, 1, language, text).parse(LANGUAGES.grammar(language))


@pytest.mark.parametrize("name", CASES)
def test_signatures(name):
    source, expected = (dedent(text).strip("\n") for text in CASES[name])
    found = outline(parsed(name, source), LANGUAGES)
    assert "\n".join(one.signature for one in found) == expected


def test_members_know_their_class():
    found = outline(parsed("a.py", dedent(CASES["a.py"][0])), LANGUAGES)
    assert [(one.name, one.kind, one.parent) for one in found] == [
        ("LIMIT", "variable", -1),
        ("Shape", "class", -1),
        ("area", "method", 1),
        ("draw", "method", 1),
    ]


def test_long_signatures_are_cut_after_a_line():
    text = "def f(\n" + "    parameter: int,\n" * 60 + "): pass\n"
    [only] = outline(parsed("a.py", text), LANGUAGES)
    assert len(only.signature) <= MAX_SIGNATURE
    assert only.signature.endswith("parameter: int,")


def test_text_without_grammar_has_no_outline():
    assert outline(parsed("a.txt", "def f(): pass\n"), LANGUAGES) == []
    assert imported(parsed("a.txt", "import os\n"), LANGUAGES) == ()


def test_imports():
    assert imported(parsed("a.py", "import os.path\nfrom . import x\n"), LANGUAGES) == (
        "os.path",
        ".",
    )


def test_identifiers():
    assert identifiers("for i in naïve_list: x1y = foo.naïve_list + 123abc") == (
        "for",
        "naïve_list",
        "x1y",
        "foo",
    )
