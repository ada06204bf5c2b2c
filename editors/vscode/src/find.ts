/** Where the server and a Python for it may be. Pure: the file system comes as a parameter. */

import * as path from "node:path";

/** What finding needs to know of the machine. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  isExecutable(file: string): boolean;
}

export type Found =
  | { readonly kind: "found"; readonly command: string; readonly from: "setting" | "PATH" | "own" }
  | { readonly kind: "bad-setting"; readonly path: string }
  | { readonly kind: "missing" };

/**
 * Find the server: where the setting says, else on PATH, else in our own environment.
 *
 * A setting that is wrong is an error, not a reason to run something else.
 */
export function findServer(machine: Machine, setting: string, environment: string): Found {
  if (setting !== "") {
    const file = expandHome(machine, setting);
    return pathOf(machine).isAbsolute(file) && machine.isExecutable(file)
      ? { kind: "found", command: file, from: "setting" }
      : { kind: "bad-setting", path: setting };
  }
  const onPath = onSearchPath(machine, "fimble");
  if (onPath !== undefined) {
    return { kind: "found", command: onPath, from: "PATH" };
  }
  const own = inEnvironment(machine.platform, environment, "fimble");
  return machine.isExecutable(own)
    ? { kind: "found", command: own, from: "own" }
    : { kind: "missing" };
}

/** The Pythons to try for an environment, best first, as absolute paths. */
export function pythons(machine: Machine, setting: string): readonly string[] {
  if (setting !== "") {
    return [expandHome(machine, setting)];
  }
  const names = ["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"];
  const found = names.map((name) => onSearchPath(machine, name));
  return [...new Set(found.filter((file) => file !== undefined))];
}

/** A program of a virtual environment. */
export function inEnvironment(
  platform: NodeJS.Platform,
  environment: string,
  name: string,
): string {
  return platform === "win32"
    ? path.win32.join(environment, "Scripts", `${name}.exe`)
    : path.posix.join(environment, "bin", name);
}

/**
 * Look a program up on PATH, and then where pipx and uv put programs.
 *
 * That folder is on PATH in a terminal, but often not for what is started from a desktop. Relative
 * entries are passed over: they would let a workspace decide what is run.
 */
export function onSearchPath(machine: Machine, name: string): string | undefined {
  const { delimiter, isAbsolute, join } = pathOf(machine);
  const file = machine.platform === "win32" ? `${name}.exe` : name;
  const value = machine.env["PATH"] ?? machine.env["Path"] ?? "";
  return [...value.split(delimiter), join(machine.home, ".local", "bin")]
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, file))
    .find((candidate) => machine.isExecutable(candidate));
}

function expandHome(machine: Machine, file: string): string {
  return /^~[/\\]/.test(file) ? pathOf(machine).join(machine.home, file.slice(2)) : file;
}

function pathOf(machine: Machine): path.PlatformPath {
  return machine.platform === "win32" ? path.win32 : path.posix;
}
