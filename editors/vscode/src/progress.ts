/** Progress that can be stopped, as a notification: the library's has no button. */

import * as vscode from "vscode";
import type {
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from "vscode-languageclient/node";

type Step = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

/** What is over sooner is not shown: looking for a model that is there, for example. */
const A_WHILE_MS = 800;

/** One notification: there from a step that can be stopped until one that cannot, or the end. */
export class StoppableProgress {
  private bar: vscode.Progress<{ message?: string; increment?: number }> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private close: (() => void) | undefined;
  private title = "";
  private message = "";
  private percentage = 0;
  private shown = 0;

  constructor(private readonly onStop: () => void) {}

  /** Take a step of the server's progress; tells whether it is shown here. */
  take(step: Step): boolean {
    if (step.kind === "end" || step.cancellable !== true) {
      this.end();
      return false;
    }
    if (step.kind === "begin") {
      this.end();
      this.title = step.title;
      this.timer = setTimeout(() => this.begin(), A_WHILE_MS);
    }
    this.message = step.message ?? "";
    this.percentage = step.percentage ?? this.percentage;
    this.report();
    return this.timer !== undefined;
  }

  private begin(): void {
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: this.title,
      cancellable: true,
    };
    void vscode.window.withProgress(options, (bar, token) => {
      this.bar = bar;
      this.report();
      token.onCancellationRequested(() => {
        this.end();
        this.onStop();
      });
      return new Promise<void>((resolve) => {
        this.close = resolve;
      });
    });
  }

  private report(): void {
    const increment = Math.max(0, this.percentage - this.shown);
    if (this.bar !== undefined) {
      this.bar.report({ message: this.message, increment });
      this.shown += increment;
    }
  }

  private end(): void {
    clearTimeout(this.timer);
    this.close?.();
    this.timer = undefined;
    this.close = undefined;
    this.bar = undefined;
    this.percentage = 0;
    this.shown = 0;
  }
}
