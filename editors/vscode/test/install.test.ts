import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";

import { findWheel, install, InstallError, isCurrent, pipStep } from "../src/install";

/** A Python in shell: says that it is new enough, makes environments, and runs `pip` as told. */
async function fakePython(folder: string, pip: string): Promise<string> {
  const file = path.join(folder, "python3");
  const script = `#!/bin/sh
case "$2 $3" in
  "-m venv") mkdir -p "$5/bin" && cp "$0" "$5/bin/python" ;;
  "-m pip") ${pip} ;;
esac
`;
  await writeFile(file, script);
  await chmod(file, 0o755);
  return file;
}

async function place(pip: string): Promise<{ python: string; wheel: string; environment: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "fimble-"));
  await writeFile(path.join(folder, "fimble-0.1.0-py3-none-any.whl"), "wheel");
  const wheel = await findWheel(folder);
  assert.ok(wheel !== undefined);
  return { python: await fakePython(folder, pip), wheel, environment: path.join(folder, "storage", "server") };
}

function watcher(signal = new AbortController().signal, log: (line: string) => void = () => {}) {
  return { step: () => {}, log, signal };
}

const posix = { skip: process.platform === "win32" ? "the fake Python is a shell script" : false };

test("the environment is current only with exactly this wheel", posix, async () => {
  const { python, wheel, environment } = await place("echo installed");
  const lines: string[] = [];
  assert.equal(await isCurrent(environment, wheel), false);
  await install([python], environment, wheel, watcher(undefined, (line) => lines.push(line)));
  assert.ok(lines.includes("installed"));
  assert.equal(await isCurrent(environment, wheel), true);
  await writeFile(wheel, "another wheel");
  assert.equal(await isCurrent(environment, wheel), false);
});

test("llama.cpp is built without what nobody needs", posix, async () => {
  const { python, wheel, environment } = await place('echo "$CMAKE_ARGS"');
  const lines: string[] = [];
  await install([python], environment, wheel, watcher(undefined, (line) => lines.push(line)));
  const recipe = path.join(path.dirname(wheel), "llama.cmake");
  const wanted = `-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama.cpp_INCLUDE=${recipe}'`;
  assert.ok(lines.includes(process.env["CMAKE_ARGS"] ?? wanted), lines.join("\n"));
});

test("a failure says what to do and leaves nothing behind", posix, async () => {
  const { python, wheel, environment } = await place("exit 1");
  await assert.rejects(install([python], environment, wheel, watcher()), (error: unknown) => {
    assert.ok(error instanceof InstallError);
    assert.match(error.hint, /C\+\+ compiler/);
    return true;
  });
  assert.deepEqual(await readdir(path.dirname(environment)), []);
});

test("no Python is told as such", async () => {
  const { wheel, environment } = await place("");
  await assert.rejects(
    install(["/nowhere/python3"], environment, wheel, watcher()),
    /Python 3\.11 or later/,
  );
});

test("a Python that is too old is named", posix, async () => {
  const { wheel, environment } = await place("");
  const python = path.join(path.dirname(wheel), "old");
  await writeFile(python, "#!/bin/sh\necho 3.9.2; exit 1\n");
  await chmod(python, 0o755);
  await assert.rejects(install([python], environment, wheel, watcher()), (error: Error) => {
    assert.equal(error.message, `Fimble needs Python 3.11 or later; ${python} is Python 3.9.2.`);
    return true;
  });
});

test("what pip does is told in a few words", () => {
  assert.equal(pipStep("Collecting pygls>=2.0 (from fimble==0.1.0)"), "Getting pygls");
  assert.equal(pipStep("Requirement already satisfied: pip"), undefined);
  assert.match(
    pipStep("  Building wheel for llama-cpp-python (pyproject.toml): started") ?? "",
    /a few minutes/,
  );
});

test("the button stops what pip has started, and leaves nothing behind", posix, async () => {
  const { python, wheel, environment } = await place("echo begun; sleep 100 & wait");
  const abort = new AbortController();
  const log = (line: string): void => {
    if (line === "begun") {
      abort.abort();
    }
  };
  await assert.rejects(install([python], environment, wheel, watcher(abort.signal, log)), {
    name: "AbortError",
  });
  assert.deepEqual(await readdir(path.dirname(environment)), []);
});
