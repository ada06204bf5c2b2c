/** What the status bar shows and what its menu offers, made of everything that is known. Pure. */

import type { Scope } from "./pause";
import type { ShortStatus } from "./protocol";

/** The server as the client sees it; `running` when it can be asked. */
export type Server =
  | { readonly kind: "missing" }
  | { readonly kind: "installing"; readonly step: string }
  | { readonly kind: "starting" }
  | { readonly kind: "ended"; readonly message: string }
  | { readonly kind: "running"; readonly status: ShortStatus | undefined };

export interface View {
  readonly server: Server;
  /** What `pausedBy` says of the active editor. */
  readonly paused: string | undefined;
  /** Whether an answer has been awaited for longer than a moment. */
  readonly thinking: boolean;
}

export interface Bar {
  readonly text: string;
  readonly tooltip: string;
  readonly severity: "none" | "warning" | "error";
}

export function bar(view: View): Bar {
  const { server, paused } = view;
  switch (server.kind) {
    case "missing":
      return warning("$(circle-slash) Fimble", "The server is not installed. Click to install it.");
    case "installing":
      return plain("$(loading~spin) Fimble: installing", server.step);
    case "starting":
      return plain("$(loading~spin) Fimble", "Starting the server");
    case "ended":
      return { text: "$(error) Fimble", tooltip: server.message, severity: "error" };
    case "running":
      return running(server.status, paused, view.thinking);
  }
}

function running(
  status: ShortStatus | undefined,
  paused: string | undefined,
  thinking: boolean,
): Bar {
  if (status === undefined) {
    return plain("$(loading~spin) Fimble", "Starting the server");
  }
  switch (status.state) {
    case "failed":
      return { text: "$(error) Fimble", tooltip: problem(status), severity: "error" };
    case "down":
      return warning("$(sync~spin) Fimble", problem(status));
    case "stopped":
      return plain("$(circle-slash) Fimble", "Switched off by the setting fimble.enabled.");
    case "loading":
      return plain(
        `$(loading~spin) Fimble ${Math.floor(status.progress * 100)} %`,
        `${status.model.name}: ${status.stage || "loading"}`,
      );
    case "ready":
      if (paused !== undefined) {
        return plain("$(debug-pause) Fimble", `Paused ${paused}.`);
      }
      return thinking
        ? plain("$(loading~spin) Fimble", `${status.model.name} is thinking`)
        : plain("$(sparkle) Fimble", `${status.model.name} is ready`);
  }
}

function problem(status: ShortStatus): string {
  if (status.error === null) {
    return "The model is being restarted.";
  }
  return `${status.error.message} ${status.error.hint}`.trimEnd();
}

function plain(text: string, tooltip: string): Bar {
  return { text, tooltip, severity: "none" };
}

function warning(text: string, tooltip: string): Bar {
  return { text, tooltip, severity: "warning" };
}

export interface MenuItem {
  readonly label: string;
  readonly description?: string;
  readonly command: string;
  readonly argument?: Scope;
}

/** The menu of the status bar item; `languageId` is the active editor's, if there is one. */
export function menu(view: View, languageId: string | undefined): readonly MenuItem[] {
  const isRunning = view.server.kind === "running";
  return [
    ...(view.server.kind === "missing"
      ? [{ label: "$(desktop-download) Install the server", command: "fimble.installServer" }]
      : []),
    ...(view.paused === undefined ? pauseItems(languageId) : [resumeItem(view.paused)]),
    ...(isRunning ? serverItems(view.server) : []),
    { label: "$(output) Open the log", command: "fimble.openLog" },
    ...(view.server.kind === "missing" || view.server.kind === "installing"
      ? []
      : [{ label: "$(debug-restart) Restart the server", command: "fimble.restart" }]),
    { label: "$(gear) Settings", command: "fimble.openSettings" },
  ];
}

function resumeItem(paused: string): MenuItem {
  return { label: "$(play) Resume", description: `paused ${paused}`, command: "fimble.resume" };
}

function pauseItems(languageId: string | undefined): readonly MenuItem[] {
  const item = (label: string, argument: Scope): MenuItem => ({
    label: `$(debug-pause) Pause ${label}`,
    command: "fimble.pause",
    argument,
  });
  return [
    ...(languageId === undefined
      ? []
      : [item("for this file", "file"), item(`for the language ${languageId}`, "language")]),
    item("in this workspace", "workspace"),
    item("for an hour", "hour"),
  ];
}

function serverItems(server: Server): readonly MenuItem[] {
  const model = server.kind === "running" ? server.status?.model.name : undefined;
  return [
    {
      label: "$(question) Why was nothing suggested?",
      command: "fimble.why",
    },
    {
      label: "$(symbol-misc) Choose the model",
      ...(model === undefined ? {} : { description: model }),
      command: "fimble.selectModel",
    },
    { label: "$(graph) Statistics", command: "fimble.showStatistics" },
  ];
}
