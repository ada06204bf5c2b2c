/** What the user says in words, which only an editor can ask for. */

import * as vscode from "vscode";

import type { Controller } from "./controller";

/** Edit the selection, or the function around the cursor, as the user says. */
export async function instruct(controller: Controller): Promise<void> {
  const place = here();
  if (place === undefined) {
    return;
  }
  const instruction = await vscode.window.showInputBox({
    title: "Edit the selection, or the function around the cursor",
    placeHolder: "What is to be done?",
  });
  if (instruction) {
    await controller.client?.carryOut("fimble.instruct", { ...place, instruction });
  }
}

/** Translate the selection, or all of the file, into another language. */
export async function translate(controller: Controller): Promise<void> {
  const place = here();
  const languages = await controller.client?.languages();
  if (place === undefined || languages === undefined) {
    return;
  }
  const items = languages.map(({ id, name }) => ({ label: name, id }));
  const chosen = await vscode.window.showQuickPick(items, { title: "Translate into" });
  if (chosen !== undefined) {
    await controller.client?.carryOut("fimble.translate", { ...place, to: chosen.id });
  }
}

/** The selection in the active editor, as the server takes it. */
function here(): { uri: string; range: { start: vscode.Position; end: vscode.Position } } | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    return undefined;
  }
  const { start, end } = editor.selection;
  return { uri: editor.document.uri.toString(), range: { start, end } };
}
