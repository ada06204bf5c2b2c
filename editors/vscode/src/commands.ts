/** The commands of the palette, the keys and the status bar's menu. */

import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { promisify } from "node:util";

import * as vscode from "vscode";
import { MessageType } from "vscode-languageclient/node";

import type { Controller } from "./controller";
import { statistics, why } from "./explain";
import { show } from "./messages";
import type { Scope } from "./pause";
import type { Model } from "./protocol";
import { menu } from "./state";
import { ask, type Asking, instruct, translate } from "./wishes";

const EXPLAINED = 100;

export function registerCommands(controller: Controller): vscode.Disposable[] {
  const register = (name: string, run: (argument?: Scope) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`fimble.${name}`, run);
  const pages = new Pages();
  return [
    vscode.workspace.registerTextDocumentContentProvider(Pages.SCHEME, pages),
    register("showMenu", () => showMenu(controller)),
    register("pause", (scope) => choosePause(controller, scope)),
    register("resume", () => controller.resume()),
    register("selectModel", () => selectModel(controller)),
    register("why", () => explain(controller)),
    register("edit", () => instruct(controller)),
    register("translateInto", () => translate(controller)),
    vscode.commands.registerCommand("fimble.ask", (data: Asking, asks: string, title: string) =>
      ask(controller, data, asks, title),
    ),
    register("showStatistics", () => showStatistics(controller, pages)),
    register("openLog", () => controller.log.show()),
    register("openSettings", () =>
      vscode.commands.executeCommand("workbench.action.openSettings", "fimble"),
    ),
    register("restart", () => controller.restart()),
    register("installServer", () => controller.install()),
  ];
}

async function showMenu(controller: Controller): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const chosen = await vscode.window.showQuickPick(menu(controller.view(), language), {
    title: "Fimble",
  });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command, chosen.argument);
  }
}

async function choosePause(controller: Controller, scope: Scope | undefined): Promise<void> {
  if (scope !== undefined) {
    await controller.pause(scope);
    return;
  }
  const language = vscode.window.activeTextEditor?.document.languageId;
  const items = menu({ ...controller.view(), paused: undefined }, language);
  const chosen = await vscode.window.showQuickPick(
    items.filter(({ argument }) => argument !== undefined),
    { title: "Pause suggestions" },
  );
  if (chosen?.argument !== undefined) {
    await controller.pause(chosen.argument);
  }
}

async function selectModel(controller: Controller): Promise<void> {
  const models = await listModels(controller);
  if (models === undefined) {
    return;
  }
  const { server } = controller.view();
  const current = server.kind === "running" ? server.status?.model.name : undefined;
  const items = models.map((model) => ({
    label: model.name === current ? `$(check) ${model.name}` : model.name,
    description: model.isHere
      ? "downloaded"
      : `${(model.size / 1e9).toFixed(2)} GB to download, ${model.licence}`,
    detail: model.purpose,
    model,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: "The model to complete with" });
  if (chosen !== undefined) {
    const settings = vscode.workspace.getConfiguration("fimble");
    await settings.update("model", chosen.model.name, vscode.ConfigurationTarget.Global);
  }
}

async function listModels(controller: Controller): Promise<Model[] | undefined> {
  if (controller.command === undefined) {
    tellNotRunning();
    return undefined;
  }
  try {
    const { stdout } = await promisify(execFile)(
      controller.command,
      ["models", "list", "--json"],
      // Not the workspace, where a file could be taken for a program or a module.
      { cwd: homedir() },
    );
    return JSON.parse(stdout) as Model[];
  } catch (error) {
    controller.log.error(String(error));
    const text = "Fimble: the models could not be listed. The log says why.";
    void show(MessageType.Error, text, controller.log);
    return undefined;
  }
}

function tellNotRunning(): void {
  void vscode.window.showWarningMessage("Fimble: the server is not running.");
}

async function explain(controller: Controller): Promise<void> {
  const view = controller.view();
  const isRunning = view.server.kind === "running";
  const latest = isRunning ? await controller.client?.explainLast(1) : undefined;
  const editor = vscode.workspace.getConfiguration("editor", vscode.window.activeTextEditor?.document);
  const text = why(view, editor.get("inlineSuggest.enabled") === false, latest?.[0]);
  const [resume, log] = ["Resume", "Open the log"];
  const actions = isRunning && view.paused !== undefined ? [resume] : [log];
  const answer = await vscode.window.showInformationMessage(text, ...actions);
  if (answer === resume) {
    await controller.resume();
  } else if (answer === log) {
    controller.log.show();
  }
}

async function showStatistics(controller: Controller, pages: Pages): Promise<void> {
  const { client } = controller;
  if (client === undefined || controller.view().server.kind !== "running") {
    tellNotRunning();
  } else {
    await pages.show(statistics(await client.status(), await client.explainLast(EXPLAINED)));
  }
}

/** Shows Markdown in a preview; nothing of it is a file. */
class Pages implements vscode.TextDocumentContentProvider {
  static readonly SCHEME = "fimble";
  private static readonly PLACE = vscode.Uri.parse(`${Pages.SCHEME}:Statistics.md`);
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private text = "";

  provideTextDocumentContent(): string {
    return this.text;
  }

  async show(text: string): Promise<void> {
    this.text = text;
    this.changed.fire(Pages.PLACE);
    await vscode.commands.executeCommand("markdown.showPreview", Pages.PLACE);
  }
}
