/** The extension's life: find the server, run it, show how it is, and offer commands. */

import * as vscode from "vscode";

import { registerCommands } from "./commands";
import { Controller } from "./controller";

let controller: Controller | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  controller = new Controller(context);
  context.subscriptions.push(controller, ...registerCommands(controller));
  await controller.start();
}

export async function deactivate(): Promise<void> {
  await controller?.stop();
}
