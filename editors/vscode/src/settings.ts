/** Which settings are the server's, and which of them the user has set. Pure. */

/** What VS Code's `inspect` tells of one setting; the sources are in rising order. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

/** Settings that only the extension reads. */
export function isOurs(key: string): boolean {
  return key.startsWith("fimble.server.") || key.startsWith("fimble.trace.");
}

/**
 * Build the section `fimble` as the server wants it: only what the user has set in the editor, or
 * else the editor's copies of the defaults would hide what `fimble.toml` says.
 *
 * `value` returns what counts for a key; an untrusted workspace's values are not in it.
 */
export function section(
  keys: readonly string[],
  inspect: (key: string) => Inspected | undefined,
  value: (key: string) => unknown,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const key of keys.filter((one) => !isOurs(one))) {
    if (isSet(inspect(key))) {
      put(result, key.split(".").slice(1), value(key));
    }
  }
  return result;
}

function isSet(inspected: Inspected | undefined): boolean {
  return (
    inspected?.globalValue !== undefined ||
    inspected?.workspaceValue !== undefined ||
    inspected?.workspaceFolderValue !== undefined
  );
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) {
    return;
  }
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const inner = (target[head] ?? {}) as Record<string, unknown>;
  target[head] = inner;
  put(inner, rest, value);
}
