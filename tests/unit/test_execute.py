"""The programs of benchmarks are run shut in, with the tools of their languages."""

import pytest

from fimble.measure.eval.execute import Program, Runner

PROGRAMS = {
    "python": ("def f(a):\n    return a * 2\n", "assert f(2) == {}"),
    "js": ("const f = (a) => a * 2;", "console.assert(f(2) === {});"),
    "cpp": (
        "#include <assert.h>\nint f(int a) { return a * 2; }",
        "int main() { assert(f(2) == {}); }",
    ),
    "java": (
        "class Solution { static void check(int a) { if (a != 4) throw new AssertionError(); } }",
        "public class Main { public static void main(String[] words) { Solution.check({}); } }",
    ),
    "rust": (
        "use rand::Rng;\nuse regex::Regex;\nuse md5;\nfn f(a: i32) -> i32 { a * 2 }",
        "#[test]\nfn test() { assert_eq!(f(2), {}); }",
    ),
}


@pytest.mark.parametrize("tool", PROGRAMS)
async def test_a_right_program_passes_and_a_wrong_one_does_not(tool):
    runner = await Runner.ready()
    if not (runner.shut_in and runner.can_run(tool)):
        pytest.skip(f"programs in {tool} cannot be run here, or not apart from everything else")
    code, test = PROGRAMS[tool]

    assert (await runner.test(Program(tool, test.replace("{}", "4")), code)).passed
    assert not (await runner.test(Program(tool, test.replace("{}", "5")), code)).passed
