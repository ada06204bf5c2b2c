/** One connection to a server: what is asked of it, and what is held back on the way. */

import * as vscode from "vscode";
import {
  type CancellationToken,
  type ClientCapabilities,
  CloseAction,
  ErrorAction,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  type MessageSignature,
  type ProgressToken,
  type ShowMessageParams,
  State,
  type StaticFeature,
} from "vscode-languageclient/node";

import { show } from "./messages";
import { StoppableProgress } from "./progress";
import type { Explanation, Language, ShortStatus, Status } from "./protocol";
import { section } from "./settings";
import { within } from "./within";

/** Everything with text; cells of notebooks are documents of their own. */
const DOCUMENTS = ["file", "untitled", "vscode-notebook-cell"].map((scheme) => ({ scheme }));

/** Waiting for shorter than this is not shown. */
const A_MOMENT_MS = 150;

/** A server answers before it loads its model: one that is silent for longer will never answer. */
const START_MS = 60_000;

export interface Listener {
  readonly onStatus: (status: ShortStatus) => void;
  readonly onThinking: (thinking: boolean) => void;
  readonly isPaused: (document: vscode.TextDocument) => boolean;
}

export class Client {
  private readonly inner: QuietClient;
  private readonly progress = new Map<ProgressToken, StoppableProgress>();
  private waiting = 0;
  private asksAsIfTyped = false;
  private readonly abandoned = new AbortController();

  constructor(
    command: string,
    settingKeys: readonly string[],
    log: vscode.LogOutputChannel,
    private readonly listener: Listener,
  ) {
    // Naming the transport would add an argument that says so; standard streams are the default.
    const executable = { command, args: ["serve"] };
    this.inner = new QuietClient("fimble", "Fimble", executable, {
      documentSelector: DOCUMENTS,
      outputChannel: log,
      // Why the server could not start is told once, by us.
      initializationFailedHandler: () => false,
      errorHandler: this.errorHandler(),
      middleware: this.middleware(settingKeys),
    });
    this.inner.registerFeature(new OwnCapabilities());
    this.inner.onNotification("fimble/didChangeStatus", (status: ShortStatus) => {
      // Before that, VS Code does not ask us for suggestions yet.
      if (this.inner.hasStarted) {
        listener.onStatus(status);
      }
    });
    this.inner.onNotification("window/showMessage", (params: ShowMessageParams) => {
      void show(params.type, params.message, log);
    });
  }

  /**
   * Start the server; fails if it cannot be started, ends at once, does not answer or is abandoned.
   *
   * Then nothing of it goes on, and this client cannot be started again.
   */
  async start(): Promise<void> {
    try {
      const answer = this.inner.start().then(() => this.status());
      const status = await within(START_MS, answer, this.abandoned.signal);
      this.inner.hasStarted = true;
      this.listener.onStatus(status);
    } catch (error) {
      // The library refuses to say goodbye to a server that was never up, but ends its process.
      await this.stop().catch(() => undefined);
      throw error;
    }
  }

  /** Have `start` fail if it still waits: what comes next is not to wait for a server that hangs. */
  abandon(): void {
    this.abandoned.abort();
  }

  get isAbandoned(): boolean {
    return this.abandoned.signal.aborted;
  }

  /** Say goodbye and end the server. */
  async stop(): Promise<void> {
    await this.inner.dispose();
  }

  /** Have VS Code ask for a suggestion, which it does of itself only at the next key. */
  async askAsIfTyped(): Promise<void> {
    this.asksAsIfTyped = true;
    try {
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    } finally {
      this.asksAsIfTyped = false;
    }
  }

  status(): Promise<Status> {
    return this.inner.sendRequest<Status>("fimble/status", {});
  }

  explainLast(count: number): Promise<Explanation[]> {
    return this.inner.sendRequest<Explanation[]>("fimble/explainLast", { count });
  }

  languages(): Promise<Language[]> {
    return this.inner.sendRequest<Language[]>("fimble/languages", {});
  }

  /** Have a command of the server carried out; its edits come by themselves. */
  async carryOut(command: string, argument: object): Promise<void> {
    await this.inner.sendRequest("workspace/executeCommand", { command, arguments: [argument] });
  }

  /** Call `listener` when the server's process is started again, or has ended for good. */
  onProcess(listener: (state: "starting" | "ended") => void): void {
    this.inner.onDidChangeState(({ newState }) => {
      if (newState !== State.Running) {
        listener(newState === State.Starting ? "starting" : "ended");
      }
    });
  }

  /** Starts a server again that has ended, but not one that has never been up: it would end again. */
  private errorHandler(): ErrorHandler {
    let usual: ErrorHandler | undefined;
    const handler = (): ErrorHandler | undefined =>
      this.inner.hasStarted ? (usual ??= this.inner.createDefaultErrorHandler()) : undefined;
    return {
      error: (...problem) =>
        handler()?.error(...problem) ?? { action: ErrorAction.Continue, handled: true },
      closed: () => handler()?.closed() ?? { action: CloseAction.DoNotRestart, handled: true },
    };
  }

  private middleware(settingKeys: readonly string[]): LanguageClientOptions["middleware"] & object {
    return {
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        if (this.listener.isPaused(document)) {
          return [];
        }
        // By the command it would be a wish of the user's, who gets more and longer suggestions.
        const { Automatic } = vscode.InlineCompletionTriggerKind;
        const asked = this.asksAsIfTyped ? { ...context, triggerKind: Automatic } : context;
        return this.whileThinking(async () => next(document, position, asked, token));
      },
      provideCompletionItem: (document, position, context, token, next) =>
        this.listener.isPaused(document) ? [] : next(document, position, context, token),
      handleWorkDoneProgress: (token, step, next) => {
        if (!this.progressOf(token).take(step)) {
          next(token, step);
        }
        if (step.kind === "end") {
          this.progress.delete(token);
        }
      },
      workspace: {
        // The library would send the whole section along, defaults and our own settings included.
        didChangeConfiguration: () =>
          this.inner.sendNotification("workspace/didChangeConfiguration", { settings: null }),
        configuration: ({ items }) =>
          items.map((item) => (item.section === "fimble" ? configured(settingKeys) : null)),
      },
    };
  }

  private progressOf(token: ProgressToken): StoppableProgress {
    const known = this.progress.get(token);
    if (known !== undefined) {
      return known;
    }
    const made = new StoppableProgress(() => {
      void this.inner.sendNotification("window/workDoneProgress/cancel", { token });
    });
    this.progress.set(token, made);
    return made;
  }

  private async whileThinking<T>(work: () => Promise<T>): Promise<T> {
    this.waiting += 1;
    const timer = setTimeout(() => this.listener.onThinking(true), A_MOMENT_MS);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      this.waiting -= 1;
      if (this.waiting === 0) {
        this.listener.onThinking(false);
      }
    }
  }
}

/**
 * Does not complain of requests that VS Code makes while the server ends: the status bar says that.
 * Nor does it say what goes wrong at the start anywhere but in the log.
 */
class QuietClient extends LanguageClient {
  /** Whether the server has been up; it may have ended since. */
  hasStarted = false;

  override error(message: string, data?: unknown, notification?: boolean | "force"): void {
    super.error(message, data, this.hasStarted ? notification : false);
  }

  override handleFailedRequest<T>(
    type: MessageSignature,
    token: CancellationToken | undefined,
    error: unknown,
    nothing: T,
    ...rest: [boolean?, boolean?]
  ): T {
    if (this.state !== State.Running) {
      return nothing;
    }
    return super.handleFailedRequest(type, token, error, nothing, ...rest);
  }
}

/** Tells the server that we want to hear of each change of its status, and that we can ask. */
class OwnCapabilities implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.experimental = {
      ...(capabilities.experimental as object | undefined),
      fimble: { status: true, ask: true },
    };
  }

  initialize(): void {
    // Nothing to set up.
  }

  getState(): { kind: "static" } {
    return { kind: "static" };
  }

  clear(): void {
    // Nothing to give back.
  }
}

function configured(keys: readonly string[]): Record<string, unknown> {
  const settings = vscode.workspace.getConfiguration();
  return section(
    keys,
    (key) => settings.inspect(key),
    (key) => settings.get(key),
  );
}
