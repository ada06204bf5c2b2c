/** Work that only one window at a time may do: a file says which process is at it. */

import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 300;
/** Two that have removed the same old lock at once know after that whose the new one is. */
const SETTLE_MS = 100;
/** So old a lock is of a process that is gone and whose number another one has got. */
const STALE_MS = 2 * 60 * 60 * 1000;

/**
 * Do the work once no other process holds the lock; it is told whether that had to be waited for.
 *
 * Throws an `AbortError` if the signal is aborted meanwhile.
 */
export async function alone<T>(
  lock: string,
  signal: AbortSignal,
  onWait: () => void,
  work: (hasWaited: boolean) => Promise<T>,
): Promise<T> {
  const mine = `${process.pid} ${randomUUID()}`;
  await mkdir(path.dirname(lock), { recursive: true });
  let hasWaited = false;
  while (!(await take(lock, mine))) {
    if (!hasWaited) {
      hasWaited = true;
      onWait();
    }
    await sleep(POLL_MS, undefined, { signal });
  }
  try {
    return await work(hasWaited);
  } finally {
    if ((await content(lock)) === mine) {
      await rm(lock, { force: true });
    }
  }
}

async function take(lock: string, mine: string): Promise<boolean> {
  try {
    await writeFile(lock, mine, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
    if (await isStale(lock)) {
      await rm(lock, { force: true });
    }
    return false;
  }
  await sleep(SETTLE_MS);
  return (await content(lock)) === mine;
}

async function isStale(lock: string): Promise<boolean> {
  const written = await stat(lock).catch(() => undefined);
  const pid = Number.parseInt((await content(lock)) ?? "", 10);
  if (written === undefined) {
    return false;
  }
  // Without a number it is just being written.
  return Date.now() - written.mtimeMs > STALE_MS || (pid > 0 && !isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function content(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}
