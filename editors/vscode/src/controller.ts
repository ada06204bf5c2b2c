/** The one owner of changing state: the server's process, pauses, and the status bar item. */

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";

import * as vscode from "vscode";
import { MessageType } from "vscode-languageclient/node";

import { Client } from "./client";
import { type Found, findServer, type Machine, pythons } from "./find";
import { environmentOf, findWheel, install, InstallError, isCurrent, usable } from "./install";
import { show } from "./messages";
import { NO_PAUSES, pause, pausedBy, type Pauses, type Place, resume, type Scope } from "./pause";
import { bar, type Server, type View } from "./state";

const LANGUAGES = "pausedLanguages";
const WORKSPACE = "pausedWorkspace";
const UNTIL = "pausedUntil";

export class Controller implements vscode.Disposable {
  readonly log = vscode.window.createOutputChannel("Fimble", { log: true });
  client: Client | undefined;
  /** The program that runs as the server, or undefined if there is none. */
  command: string | undefined;

  private readonly item = vscode.window.createStatusBarItem(
    "fimble.status",
    vscode.StatusBarAlignment.Right,
    100,
  );
  private readonly subscriptions: vscode.Disposable[];
  private server: Server = { kind: "missing" };
  private thinking = false;
  /** Whether something was typed while no server ran: VS Code has asked nobody then. */
  private wasTyped = false;
  private pausedFiles = NO_PAUSES.files;
  private alarm: NodeJS.Timeout | undefined;
  /** What is done to the server at last; the next waits for its end. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: vscode.ExtensionContext) {
    this.item.name = "Fimble";
    this.item.command = "fimble.showMenu";
    this.subscriptions = [
      this.log,
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => this.show()),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        this.wasTyped ||=
          this.server.kind !== "running" && document === vscode.window.activeTextEditor?.document;
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.restart()),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("fimble.server")) {
          void this.restart();
        }
      }),
    ];
    this.show();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.alarm);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  // --- the server -----------------------------------------------------------------------------

  /** Find the server and run it; where there is none, offer to install it. */
  start(): Promise<void> {
    return this.inTurn(() => this.startNow());
  }

  stop(): Promise<void> {
    this.client?.abandon();
    return this.inTurn(() => this.stopNow());
  }

  restart(): Promise<void> {
    this.client?.abandon();
    return this.inTurn(async () => {
      this.setServer({ kind: "starting" });
      await this.stopNow();
      await this.startNow();
    });
  }

  /** Make the server's own environment, with progress and a button to stop it; then run it. */
  async install(): Promise<void> {
    if (this.server.kind !== "installing") {
      // Who wishes for what is there already wants it mended.
      const again = this.server.kind !== "missing";
      this.client?.abandon();
      await this.inTurn(() => this.installNow(again));
    }
  }

  /** Do one thing after the other: of two servers started at once one would stay behind. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch((error: unknown) => this.log.error(String(error)));
    return done;
  }

  private async startNow(): Promise<void> {
    const wheel = await this.wheel();
    const found = await this.find();
    if (found.kind === "found" && found.from === "own" && wheel && !(await this.isMade(wheel))) {
      await this.installNow(false);
    } else {
      await this.run(found);
    }
  }

  private async find(): Promise<Found> {
    const own = await usable(this.storage(), await this.wheel());
    return findServer(machine(), this.setting("path"), own);
  }

  private async run(found: Found): Promise<void> {
    switch (found.kind) {
      case "found":
        await this.startFound(found);
        break;
      case "bad-setting":
        this.fail(`There is no program at ${found.path}, which the setting fimble.server.path names.`);
        break;
      case "missing":
        this.setServer({ kind: "missing" });
        void this.offerToInstall();
    }
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.stop().catch((error: unknown) => this.log.warn(String(error)));
  }

  private async installNow(again: boolean): Promise<void> {
    const wheel = await this.wheel();
    if (wheel === undefined) {
      this.fail("This build of the extension carries no server; set fimble.server.path.");
      return;
    }
    await this.stopNow();
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: "Fimble: installing the server",
      cancellable: true,
    };
    const isDone = await vscode.window.withProgress(options, (progress, token) =>
      this.installFrom(wheel, again, progress, token),
    );
    const found = await this.find();
    if (isDone || found.kind === "found") {
      await this.run(found);
    }
  }

  private async startFound(found: Extract<Found, { kind: "found" }>): Promise<void> {
    this.log.info(`the server is ${found.command}, found by ${found.from}`);
    this.command = found.command;
    this.setServer({ kind: "starting" });
    const client = new Client(found.command, this.settingKeys(), this.log, {
      onStatus: (status) => {
        if (this.client === client) {
          this.setServer({ kind: "running", status });
        }
      },
      onThinking: (thinking) => {
        this.thinking = thinking;
        this.show();
      },
      isPaused: (document) => this.pausedAt(placeOf(document)) !== undefined,
    });
    this.client = client;
    client.onProcess((state) => {
      if (this.client === client) {
        this.setServer(
          state === "starting" ? { kind: state } : { kind: state, message: "The server has ended." },
        );
      }
    });
    try {
      await client.start();
      if (this.wasTyped) {
        this.wasTyped = false;
        void client.askAsIfTyped();
      }
    } catch (error) {
      this.client = undefined;
      this.log.error(String(error));
      if (!client.isAbandoned) {
        this.fail("The server could not be started. The log says why.");
      }
    }
  }

  private async installFrom(
    wheel: string,
    again: boolean,
    progress: vscode.Progress<{ message: string }>,
    token: vscode.CancellationToken,
  ): Promise<boolean> {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    const step = (text: string): void => {
      progress.report({ message: text });
      this.setServer({ kind: "installing", step: text });
    };
    const log = (line: string): void => this.log.info(line);
    const candidates = pythons(machine(), this.setting("python"));
    try {
      await install(candidates, this.storage(), wheel, { step, log, signal: abort.signal }, again);
      return true;
    } catch (error) {
      this.setServer({ kind: "missing" });
      if (!abort.signal.aborted) {
        const hint = error instanceof InstallError ? `${error.message} ${error.hint}` : String(error);
        const isThere = (await this.find()).kind === "found";
        this.fail(isThere ? `${hint} Until then the server that was there is used.` : hint);
      }
      return false;
    }
  }

  private async offerToInstall(): Promise<void> {
    const [yes, choose] = ["Install", "I have it already"];
    const text =
      "Fimble's server is not installed yet. Installing takes a few minutes" +
      " and needs Python 3.11 and a C++ compiler.";
    const answer = await vscode.window.showInformationMessage(text, yes, choose);
    if (answer === yes) {
      await this.install();
    } else if (answer === choose) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "fimble.server.path");
    }
  }

  private fail(message: string): void {
    this.setServer({ kind: "ended", message });
    void show(MessageType.Error, `Fimble: ${message}`, this.log);
  }

  // --- pauses ---------------------------------------------------------------------------------

  pause(scope: Scope): Promise<void> {
    return this.setPauses(pause(this.pauses, scope, activePlace(), Date.now()));
  }

  resume(): Promise<void> {
    return this.setPauses(resume(this.pauses, activePlace()));
  }

  /** What other windows have paused counts here as well, so it is read anew each time. */
  private get pauses(): Pauses {
    const { globalState, workspaceState } = this.context;
    return {
      files: this.pausedFiles,
      languages: globalState.get(LANGUAGES, NO_PAUSES.languages),
      workspace: workspaceState.get(WORKSPACE, NO_PAUSES.workspace),
      until: globalState.get(UNTIL, NO_PAUSES.until),
    };
  }

  private async setPauses(pauses: Pauses): Promise<void> {
    this.pausedFiles = pauses.files;
    await this.context.globalState.update(LANGUAGES, pauses.languages);
    await this.context.workspaceState.update(WORKSPACE, pauses.workspace);
    await this.context.globalState.update(UNTIL, pauses.until);
    if (this.pausedAt(activePlace()) !== undefined) {
      await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
    }
    this.show();
  }

  private pausedAt(place: Place | undefined): string | undefined {
    return pausedBy(this.pauses, place, Date.now());
  }

  // --- what is shown --------------------------------------------------------------------------

  view(): View {
    return {
      server: this.server,
      paused: this.pausedAt(activePlace()),
      thinking: this.thinking,
    };
  }

  private setServer(server: Server): void {
    this.server = server;
    this.show();
  }

  private show(): void {
    const { text, tooltip, severity } = bar(this.view());
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: `Fimble: ${tooltip}` };
    this.item.backgroundColor =
      severity === "none" ? undefined : new vscode.ThemeColor(`statusBarItem.${severity}Background`);
    clearTimeout(this.alarm);
    const left = this.pauses.until - Date.now();
    if (left > 0) {
      this.alarm = setTimeout(() => this.show(), Math.min(left, 60_000));
    }
  }

  // --- where things are -----------------------------------------------------------------------

  private setting(name: "path" | "python"): string {
    return vscode.workspace.getConfiguration("fimble.server").get(name, "").trim();
  }

  /** Where the server's own environments are, for all windows. */
  private storage(): string {
    return this.context.globalStorageUri.fsPath;
  }

  private wheel(): Promise<string | undefined> {
    return findWheel(this.context.asAbsolutePath("server"));
  }

  private async isMade(wheel: string): Promise<boolean> {
    return isCurrent(await environmentOf(this.storage(), wheel), wheel);
  }

  private settingKeys(): readonly string[] {
    const manifest = this.context.extension.packageJSON as Manifest;
    return manifest.contributes.configuration.flatMap(({ properties }) => Object.keys(properties));
  }
}

interface Manifest {
  readonly contributes: {
    readonly configuration: readonly { readonly properties: Readonly<Record<string, unknown>> }[];
  };
}

function machine(): Machine {
  const { platform, env } = process;
  return { platform, env, home: homedir(), isExecutable };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function activePlace(): Place | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document === undefined ? undefined : placeOf(document);
}

/** Where pauses hold; all cells of a notebook are one file. */
function placeOf({ uri, languageId }: vscode.TextDocument): Place {
  return { uri: uri.with({ fragment: "" }).toString(), languageId };
}
