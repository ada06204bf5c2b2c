import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";

import {
  environmentOf,
  findWheel,
  install,
  InstallError,
  isCurrent,
  pipStep,
  usable,
} from "../src/install";

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

async function place(pip: string): Promise<{ python: string; wheel: string; storage: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), "fimble-"));
  await writeFile(path.join(folder, "fimble-0.1.0-py3-none-any.whl"), "wheel");
  const wheel = await findWheel(folder);
  assert.ok(wheel !== undefined);
  return { python: await fakePython(folder, pip), wheel, storage: path.join(folder, "storage") };
}

function watcher(signal = new AbortController().signal, log: (line: string) => void = () => {}) {
  return { step: () => {}, log, signal };
}

const posix = { skip: process.platform === "win32" ? "the fake Python is a shell script" : false };

test("the environment is current only with exactly this wheel", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  const lines: string[] = [];
  const environment = await environmentOf(storage, wheel);
  assert.equal(await isCurrent(environment, wheel), false);
  await install([python], storage, wheel, watcher(undefined, (line) => lines.push(line)));
  assert.ok(lines.includes("installed"));
  assert.equal(await isCurrent(environment, wheel), true);
  await writeFile(wheel, "another wheel");
  assert.equal(await isCurrent(environment, wheel), false);
});

test("where an update fails, the server of before is left and used", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  await install([python], storage, wheel, watcher());
  const before = await usable(storage, wheel);
  await writeFile(wheel, "another wheel");
  const broken = await fakePython(path.dirname(wheel), "exit 1");
  await assert.rejects(install([broken], storage, wheel, watcher()), InstallError);
  assert.deepEqual(await readdir(storage), [path.basename(before)]);
  assert.equal(await usable(storage, wheel), before);
  assert.equal(await usable(storage, undefined), before);
});

test("an update leaves the server of before, which a window may still run", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  const made: string[] = [];
  await mkdir(path.join(storage, "server"), { recursive: true });
  for (const text of ["first", "second", "third"]) {
    await writeFile(wheel, text);
    await install([python], storage, wheel, watcher());
    made.push(path.basename(await usable(storage, wheel)));
    assert.deepEqual((await readdir(storage)).sort(), made.slice(-2).sort());
  }
});

test("of two windows one installs, and the other waits for it", posix, async () => {
  const { python, wheel, storage } = await place("sleep 0.5; echo installed");
  const [lines, steps]: [string[], string[]] = [[], []];
  const log = (line: string): void => void lines.push(line);
  const step = (text: string): void => void steps.push(text);
  const one = { ...watcher(undefined, log), step };
  await Promise.all([1, 2].map(() => install([python], storage, wheel, one, true)));
  assert.equal(lines.filter((line) => line === "installed").length, 1);
  assert.equal(steps.filter((text) => text.startsWith("Waiting for another")).length, 1);
  assert.equal(await isCurrent(await environmentOf(storage, wheel), wheel), true);
});

test("who stops waiting takes nothing away from the window that installs", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  await mkdir(await environmentOf(storage, wheel), { recursive: true });
  await writeFile(path.join(storage, "server.lock"), `${process.pid} another`);
  const before = (await readdir(storage)).sort();
  const abort = new AbortController();
  const step = (text: string): void => void (text.startsWith("Waiting") && abort.abort());
  const waiting = install([python], storage, wheel, { ...watcher(abort.signal), step });
  await assert.rejects(waiting, { name: "AbortError" });
  assert.deepEqual((await readdir(storage)).sort(), before);
});

test("a window that is gone is not waited for", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  await mkdir(storage);
  const { pid } = spawnSync("true");
  await writeFile(path.join(storage, "server.lock"), `${pid} gone`);
  await install([python], storage, wheel, watcher());
  assert.equal(await isCurrent(await environmentOf(storage, wheel), wheel), true);
});

test("what is there is made anew only on request", posix, async () => {
  const { python, wheel, storage } = await place("echo installed");
  const lines: string[] = [];
  const one = watcher(undefined, (line) => lines.push(line));
  for (const again of [false, false, true]) {
    await install([python], storage, wheel, one, again);
  }
  assert.equal(lines.filter((line) => line === "installed").length, 2);
});

test("llama.cpp is built without what nobody needs", posix, async () => {
  const { python, wheel, storage } = await place('echo "$CMAKE_ARGS"');
  const lines: string[] = [];
  await install([python], storage, wheel, watcher(undefined, (line) => lines.push(line)));
  const recipe = path.join(path.dirname(wheel), "llama.cmake");
  const wanted = `-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama.cpp_INCLUDE=${recipe}'`;
  assert.ok(lines.includes(process.env["CMAKE_ARGS"] ?? wanted), lines.join("\n"));
});

test("a failure says what to do and leaves nothing behind", posix, async () => {
  const { python, wheel, storage } = await place("exit 1");
  await assert.rejects(install([python], storage, wheel, watcher()), (error: unknown) => {
    assert.ok(error instanceof InstallError);
    assert.match(error.hint, /C\+\+ compiler/);
    return true;
  });
  assert.deepEqual(await readdir(storage), []);
});

test("no Python is told as such", async () => {
  const { wheel, storage } = await place("");
  await assert.rejects(
    install(["/nowhere/python3"], storage, wheel, watcher()),
    /Python 3\.11 or later/,
  );
});

test("a Python that is too old is named", posix, async () => {
  const { wheel, storage } = await place("");
  const python = path.join(path.dirname(wheel), "old");
  await writeFile(python, "#!/bin/sh\necho 3.9.2; exit 1\n");
  await chmod(python, 0o755);
  await assert.rejects(install([python], storage, wheel, watcher()), (error: Error) => {
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
  const { python, wheel, storage } = await place("echo begun; sleep 100 & wait");
  const abort = new AbortController();
  const log = (line: string): void => {
    if (line === "begun") {
      abort.abort();
    }
  };
  await assert.rejects(install([python], storage, wheel, watcher(abort.signal, log)), {
    name: "AbortError",
  });
  assert.deepEqual(await readdir(storage), []);
});
