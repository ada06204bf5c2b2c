/**
 * Makes the server's own virtual environment with the user's Python, from the wheel we carry.
 *
 * All windows share the folder of these environments. Each wheel has one of its own, so that an
 * update takes nothing away from a server that runs, or that is needed because the update fails.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import * as path from "node:path";

import { inEnvironment } from "./find";
import { alone } from "./lock";

/** Written last, so that an environment without it is only half made. */
const STAMP = "fimble-wheel.sha256";

/** The names of environments; the short one was that of all wheels once. */
const OURS = /^server(-[0-9a-f]{12})?$/;

/** Why installing failed: one sentence for the user and one that says what to do. */
export class InstallError extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export interface Watcher {
  /** Told in a few words what goes on. */
  readonly step: (text: string) => void;
  /** Gets each line that the programs print. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The wheel in the extension's folder, or undefined in a build without one. */
export async function findWheel(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  const wheel = names.find((name) => /^fimble-.*\.whl$/.test(name));
  return wheel === undefined ? undefined : path.join(folder, wheel);
}

/** Where the environment of this wheel is, or will be. */
export async function environmentOf(storage: string, wheel: string): Promise<string> {
  return path.join(storage, `server-${(await digest(wheel)).slice(0, 12)}`);
}

/** Tell whether the environment was made from exactly this wheel. */
export async function isCurrent(environment: string, wheel: string): Promise<boolean> {
  const stamp = await readFile(path.join(environment, STAMP), "utf8").catch(() => undefined);
  return stamp !== undefined && stamp === (await digest(wheel));
}

/** The environment to run: the wheel's, or while there is none, the one that was made last. */
export async function usable(storage: string, wheel: string | undefined): Promise<string> {
  const wanted = wheel === undefined ? undefined : await environmentOf(storage, wheel);
  if (wheel !== undefined && wanted !== undefined && (await isCurrent(wanted, wheel))) {
    return wanted;
  }
  const [last] = await complete(storage);
  return last ?? wanted ?? path.join(storage, "server");
}

/**
 * Make the wheel's environment and install the wheel with what it depends on.
 *
 * Where another window is at it, its result is waited for. One that is there already is made anew
 * only if `again`. Throws an `InstallError`, or an `AbortError` if the signal was aborted; then
 * nothing new is left behind.
 */
export async function install(
  candidates: readonly string[],
  storage: string,
  wheel: string,
  watcher: Watcher,
  again = false,
): Promise<void> {
  watcher.step("Looking for Python");
  const python = await newEnough(candidates, watcher);
  const environment = await environmentOf(storage, wheel);
  const lock = path.join(storage, "server.lock");
  const onWait = (): void => watcher.step("Waiting for another window that installs it");
  await alone(lock, watcher.signal, onWait, async (hasWaited) => {
    if ((hasWaited || !again) && (await isCurrent(environment, wheel))) {
      return;
    }
    await make(python, environment, wheel, watcher);
    await removeOld(storage, environment);
  });
}

async function make(
  python: string,
  environment: string,
  wheel: string,
  watcher: Watcher,
): Promise<void> {
  await rm(environment, { recursive: true, force: true });
  try {
    watcher.step("Making a virtual environment");
    await makeEnvironment(python, environment, watcher);
    watcher.step("Installing");
    await installWheel(environment, wheel, watcher);
  } catch (error) {
    await rm(environment, { recursive: true, force: true });
    throw error;
  }
  await writeFile(path.join(environment, STAMP), await digest(wheel));
}

/** Remove all environments but this one and the one before: a window may still run that. */
async function removeOld(storage: string, environment: string): Promise<void> {
  const before = (await complete(storage)).find((one) => one !== environment);
  for (const one of await all(storage)) {
    if (one !== environment && one !== before) {
      // What a running program holds cannot be removed everywhere; the next time will do.
      await rm(one, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** The environments that were made to their end, the last one first. */
async function complete(storage: string): Promise<readonly string[]> {
  const made: { readonly environment: string; readonly time: number }[] = [];
  for (const environment of await all(storage)) {
    const stamp = await stat(path.join(environment, STAMP)).catch(() => undefined);
    if (stamp !== undefined) {
      made.push({ environment, time: stamp.mtimeMs });
    }
  }
  return made.sort((one, other) => other.time - one.time).map(({ environment }) => environment);
}

async function all(storage: string): Promise<readonly string[]> {
  const names = await readdir(storage).catch(() => []);
  return names.filter((name) => OURS.test(name)).map((name) => path.join(storage, name));
}

async function newEnough(candidates: readonly string[], watcher: Watcher): Promise<string> {
  const check = "import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))";
  const old: string[] = [];
  for (const python of candidates) {
    let said = "";
    const log = (line: string): void => {
      said = line;
      watcher.log(line);
    };
    if ((await run(python, ["-I", "-c", check], { ...watcher, log })) === 0) {
      return python;
    }
    if (/^[0-9.]+$/.test(said)) {
      old.push(`${python} is Python ${said}`);
    }
  }
  const found = old.length > 0 ? `; ${old.join(", ")}` : ", and found none";
  throw new InstallError(
    `Fimble needs Python 3.11 or later${found}.`,
    "Install it, or name it in the setting fimble.server.python.",
  );
}

async function makeEnvironment(
  python: string,
  environment: string,
  watcher: Watcher,
): Promise<void> {
  if ((await run(python, ["-I", "-m", "venv", "--clear", environment], watcher)) !== 0) {
    throw new InstallError(
      `${python} cannot make virtual environments.`,
      "On Debian and Ubuntu: sudo apt install python3-venv.",
    );
  }
}

async function installWheel(environment: string, wheel: string, watcher: Watcher): Promise<void> {
  const python = inEnvironment(process.platform, environment, "python");
  const options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"];
  const log = (line: string): void => {
    const step = pipStep(line);
    if (step !== undefined) {
      watcher.step(step);
    }
    watcher.log(line);
  };
  const args = ["-I", "-m", "pip", "install", ...options, wheel];
  const code = await run(python, args, { ...watcher, log }, buildFlags(wheel));
  if (code !== 0) {
    throw new InstallError(
      "pip could not install Fimble's server.",
      "It needs the network and a C++ compiler; the log says what went wrong.",
    );
  }
}

/** What halves the time that building llama.cpp takes, as `scripts/setup` does; users' own flags win. */
function buildFlags(wheel: string): Record<string, string> {
  const recipe = path.join(path.dirname(wheel), "llama.cmake").replaceAll("\\", "/");
  return { CMAKE_ARGS: `-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama.cpp_INCLUDE=${recipe}'` };
}

/** What pip is doing, in a few words, if a line of its output tells. */
export function pipStep(line: string): string | undefined {
  if (/^ *Building wheels? for .*llama/.test(line)) {
    return "Building llama.cpp, which takes a few minutes";
  }
  if (line.startsWith("Installing collected packages")) {
    return "Unpacking";
  }
  const wanted = /^Collecting ([\w.-]+)/.exec(line)?.[1];
  return wanted === undefined ? undefined : `Getting ${wanted}`;
}

/**
 * Run a program to its end and return its exit code; -1 if it could not be started.
 *
 * `defaults` are environment variables for where there are none of that name.
 */
async function run(
  command: string,
  args: readonly string[],
  watcher: Watcher,
  defaults: Record<string, string> = {},
): Promise<number> {
  watcher.signal.throwIfAborted();
  watcher.log(`> ${command} ${args.join(" ")}`);
  // A process group of its own: pip starts compilers, and they must end with it.
  const isGroup = process.platform !== "win32";
  const child = spawn(command, args, {
    cwd: path.dirname(command),
    detached: isGroup,
    env: { ...defaults, ...process.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = (): void => {
    if (isGroup && child.pid !== undefined) {
      process.kill(-child.pid);
    } else {
      child.kill();
    }
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      text.split(/\r?\n/).filter(Boolean).forEach(watcher.log);
    });
  }
  watcher.signal.addEventListener("abort", stop);
  const code = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("close", (status) => resolve(status ?? -1));
  });
  watcher.signal.removeEventListener("abort", stop);
  watcher.signal.throwIfAborted();
  return code;
}

async function digest(file: string): Promise<string> {
  return createHash("sha256").update(await readFile(file)).digest("hex");
}
