/** Pausing: which suggestions the user does not want now. Pure; the controller stores it. */

export const HOUR_MS = 60 * 60 * 1000;

export interface Pauses {
  /** Documents, by URI; forgotten with the window. */
  readonly files: readonly string[];
  /** Language identifiers, in all workspaces, until resumed. */
  readonly languages: readonly string[];
  /** This workspace, until resumed. */
  readonly workspace: boolean;
  /** Everything, until this time in milliseconds since 1970; 0: not. */
  readonly until: number;
}

export const NO_PAUSES: Pauses = { files: [], languages: [], workspace: false, until: 0 };

export interface Place {
  readonly uri: string;
  readonly languageId: string;
}

export type Scope = "file" | "language" | "workspace" | "hour";

export function pause(pauses: Pauses, scope: Scope, place: Place | undefined, now: number): Pauses {
  switch (scope) {
    case "file":
      return place === undefined ? pauses : { ...pauses, files: added(pauses.files, place.uri) };
    case "language":
      return place === undefined
        ? pauses
        : { ...pauses, languages: added(pauses.languages, place.languageId) };
    case "workspace":
      return { ...pauses, workspace: true };
    case "hour":
      return { ...pauses, until: now + HOUR_MS };
  }
}

/** Lift every pause that holds at the place, and no other. */
export function resume(pauses: Pauses, place: Place | undefined): Pauses {
  return {
    files: pauses.files.filter((uri) => uri !== place?.uri),
    languages: pauses.languages.filter((language) => language !== place?.languageId),
    workspace: false,
    until: 0,
  };
}

/** Say why there are no suggestions at the place, as the end of "Paused"; undefined: there are. */
export function pausedBy(
  pauses: Pauses,
  place: Place | undefined,
  now: number,
): string | undefined {
  if (now < pauses.until) {
    return `for ${minutes(pauses.until - now)}`;
  }
  if (pauses.workspace) {
    return "in this workspace";
  }
  if (place !== undefined && pauses.languages.includes(place.languageId)) {
    return `for the language ${place.languageId}`;
  }
  if (place !== undefined && pauses.files.includes(place.uri)) {
    return "for this file";
  }
  return undefined;
}

function minutes(milliseconds: number): string {
  const count = Math.ceil(milliseconds / 60_000);
  return count === 1 ? "1 more minute" : `${count} more minutes`;
}

function added(list: readonly string[], item: string): readonly string[] {
  return list.includes(item) ? list : [...list, item];
}
