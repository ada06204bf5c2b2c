/** Progress that can be stopped, as a notification: the library's has no button. */

import * as vscode from "vscode";
import type {
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from "vscode-languageclient/node";

type Step = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

/** One notification: there from a step that can be stopped until one that cannot, or the end. */
export class StoppableProgress {
  private bar: vscode.Progress<{ message?: string; increment?: number }> | undefined;
  private close: (() => void) | undefined;
  private percentage = 0;

  constructor(private readonly onStop: () => void) {}

  /** Take a step of the server's progress; tells whether it is shown here. */
  take(step: Step): boolean {
    if (step.kind === "end" || step.cancellable !== true) {
      this.end();
      return false;
    }
    if (step.kind === "begin") {
      this.begin(step.title);
    }
    const percentage = step.percentage ?? this.percentage;
    this.bar?.report({
      message: step.message ?? "",
      increment: Math.max(0, percentage - this.percentage),
    });
    this.percentage = percentage;
    return this.bar !== undefined;
  }

  private begin(title: string): void {
    this.end();
    this.percentage = 0;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    void vscode.window.withProgress(options, (bar, token) => {
      this.bar = bar;
      token.onCancellationRequested(() => {
        this.end();
        this.onStop();
      });
      return new Promise<void>((resolve) => {
        this.close = resolve;
      });
    });
  }

  private end(): void {
    this.close?.();
    this.close = undefined;
    this.bar = undefined;
  }
}
