/** What is told in a notification. */

import * as vscode from "vscode";
import { MessageType } from "vscode-languageclient/node";

const OPEN = "Open the log";

/** Show a message. What went wrong has a button: without one, VS Code shows the first line only. */
export async function show(
  type: MessageType,
  message: string,
  log: vscode.LogOutputChannel,
): Promise<void> {
  switch (type) {
    case MessageType.Error:
    case MessageType.Warning: {
      const { showErrorMessage, showWarningMessage } = vscode.window;
      const say = type === MessageType.Error ? showErrorMessage : showWarningMessage;
      if ((await say(message, OPEN)) === OPEN) {
        log.show();
      }
      break;
    }
    default:
      await vscode.window.showInformationMessage(message);
  }
}
