/** What the user says in words, which only an editor can ask for. */

import * as vscode from "vscode";

import type { Controller } from "./controller";

/** Edit the selection, or the function around the cursor, as the user says. */
export async function instruct(controller: Controller): Promise<void> {
  const place = here();
  if (place === undefined) {
    return;
  }
  const instruction = await said("Edit the selection, or the function around the cursor");
  if (instruction) {
    await controller.client?.carryOut("fimble.instruct", { ...place, instruction });
  }
}

/** Translate the selection, or all of the file, into another language. */
export async function translate(controller: Controller): Promise<void> {
  const place = here();
  const to = place && (await language(controller));
  if (to !== undefined) {
    await controller.client?.carryOut("fimble.translate", { ...place, to });
  }
}

/** An action of the menu that needs an answer first; the server takes its data with the answer. */
export interface Asking {
  options?: Record<string, string>;
}

/** Ask what an action of the menu wants to know, and have it carried out. */
export async function ask(
  controller: Controller,
  data: Asking,
  asks: string,
  title: string,
): Promise<void> {
  const answer = asks === "to" ? await language(controller) : await said(title);
  if (answer) {
    const options = { ...data.options, [asks]: answer };
    await controller.client?.carryOut("fimble.act", { ...data, options });
  }
}

function said(title: string): Thenable<string | undefined> {
  return vscode.window.showInputBox({ title, placeHolder: "What is to be done?" });
}

/** A language to translate into, as the server names it. */
async function language(controller: Controller): Promise<string | undefined> {
  const known = await controller.client?.languages();
  if (known === undefined) {
    return undefined;
  }
  const items = known.map(({ id, name }) => ({ label: name, id }));
  const chosen = await vscode.window.showQuickPick(items, { title: "Translate into" });
  return chosen?.id;
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
