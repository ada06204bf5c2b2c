import assert from "node:assert/strict";
import { test } from "node:test";

import { findServer, type Machine, onSearchPath, pythons } from "../src/find";

function machine(files: readonly string[], searchPath = "", platform: NodeJS.Platform = "linux"): Machine {
  return {
    platform,
    env: { PATH: searchPath },
    home: "/home/me",
    isExecutable: (file) => files.includes(file),
  };
}

const OWN = "/storage/server";

test("the setting wins, and may begin at home", () => {
  const here = machine(["/home/me/bin/fimble", "/usr/bin/fimble"], "/usr/bin");
  assert.deepEqual(findServer(here, "~/bin/fimble", OWN), {
    kind: "found",
    command: "/home/me/bin/fimble",
    from: "setting",
  });
});

test("a setting that is wrong runs nothing else", () => {
  const here = machine(["/usr/bin/fimble", "bin/fimble"], "/usr/bin");
  for (const wrong of ["/nowhere/fimble", "bin/fimble", "fimble"]) {
    assert.deepEqual(findServer(here, wrong, OWN), { kind: "bad-setting", path: wrong });
  }
});

test("PATH comes before our own environment", () => {
  const both = ["/usr/bin/fimble", `${OWN}/bin/fimble`];
  assert.equal(findServer(machine(both, "/bin:/usr/bin"), "", OWN).kind, "found");
  assert.deepEqual(findServer(machine(both, "/bin"), "", OWN), {
    kind: "found",
    command: `${OWN}/bin/fimble`,
    from: "own",
  });
  assert.deepEqual(findServer(machine([], "/bin"), "", OWN), { kind: "missing" });
});

test("what pipx or uv installed is found without PATH", () => {
  const there = "/home/me/.local/bin/fimble";
  const found = { kind: "found", command: there, from: "PATH" };
  assert.deepEqual(findServer(machine([there, `${OWN}/bin/fimble`], "/bin"), "", OWN), found);
  const both = machine(["/bin/fimble", there], "/bin");
  assert.equal(onSearchPath(both, "fimble"), "/bin/fimble");
});

test("entries of PATH that a workspace could fill are passed over", () => {
  const here = machine(["fimble", "bin/fimble", "./fimble"], ".:bin::");
  assert.equal(onSearchPath(here, "fimble"), undefined);
});

test("Windows has other folders, endings and separators", () => {
  const program = "C:\\Tools\\fimble.exe";
  assert.equal(onSearchPath(machine([program], "C:\\Windows;C:\\Tools", "win32"), "fimble"), program);
  const own = "C:\\storage\\server";
  const found = findServer(machine([`${own}\\Scripts\\fimble.exe`], "", "win32"), "", own);
  assert.equal(found.kind, "found");
});

test("the Python of the setting is the only one tried", () => {
  const here = machine(["/usr/bin/python3", "/usr/bin/python"], "/usr/bin");
  assert.deepEqual(pythons(here, ""), ["/usr/bin/python3", "/usr/bin/python"]);
  assert.deepEqual(pythons(here, "/opt/python"), ["/opt/python"]);
});
