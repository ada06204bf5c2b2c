/** What the server tells in its own requests; see "fimble/status" in the README. */

export type EngineState = "loading" | "ready" | "down" | "failed" | "stopped";

export interface Problem {
  readonly kind: string;
  readonly message: string;
  readonly hint: string;
}

/** The parameters of fimble/didChangeStatus: what costs the server nothing to tell. */
export interface ShortStatus {
  readonly state: EngineState;
  /** From 0 to 1, of loading. */
  readonly progress: number;
  readonly stage: string;
  readonly model: { readonly name: string };
  readonly restarts: number;
  readonly error: Problem | null;
}

/** The answer to fimble/status. */
export interface Status extends ShortStatus {
  readonly version: string;
  readonly model: { readonly name: string; readonly path?: string; readonly sizeBytes?: number };
  /** Tokens per second. */
  readonly rates: { readonly prefill: number; readonly decode: number } | null;
  readonly memory: {
    readonly rssBytes: number;
    readonly kvCellsUsed: number;
    readonly kvCellsTotal: number;
  } | null;
}

/** One answer to fimble/explainLast. Times are in milliseconds, the rest of the trace in tokens. */
export interface Explanation {
  readonly uri: string;
  readonly position: { readonly line: number; readonly character: number };
  readonly reason: string;
  readonly detail: string;
  readonly totalMs: number;
  readonly trace: {
    readonly promptTokens: number;
    readonly reused: number;
    readonly evaluated: number;
    readonly generated: number;
  };
}

/** One of the answers to fimble/languages. */
export interface Language {
  /** As the protocol has it. */
  readonly id: string;
  readonly name: string;
}

/** One line of `fimble models list --json`. */
export interface Model {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly licence: string;
  readonly purpose: string;
  readonly isHere: boolean;
  readonly isDefault: boolean;
}
