import assert from "node:assert/strict";
import { test } from "node:test";

import { statistics, why } from "../src/explain";
import { HOUR_MS, NO_PAUSES, pause, pausedBy, resume } from "../src/pause";
import type { EngineState, Explanation, ShortStatus, Status } from "../src/protocol";
import { section } from "../src/settings";
import { bar, menu, type View } from "../src/state";

const PLACE = { uri: "file:///a.py", languageId: "python" };
const OTHER = { uri: "file:///b.go", languageId: "go" };

function status(state: EngineState, more: Partial<ShortStatus> = {}): ShortStatus {
  return { state, progress: 0, stage: "", model: { name: "m" }, restarts: 0, error: null, ...more };
}

function view(state: EngineState, more: Partial<View> = {}, of: Partial<ShortStatus> = {}): View {
  const server = { kind: "running", status: status(state, of) } as const;
  return { server, paused: undefined, thinking: false, ...more };
}

test("the status bar shows each state", () => {
  const error = { kind: "E", message: "Bad.", hint: "Do this." };
  const shown = [
    bar(view("loading", {}, { progress: 0.409, stage: "downloading" })),
    bar(view("ready")),
    bar(view("ready", { thinking: true })),
    bar(view("ready", { paused: "for this file" })),
    bar(view("down", {}, { error })),
    bar(view("failed", {}, { error })),
    bar(view("stopped")),
    bar({ ...view("ready"), server: { kind: "missing" } }),
    bar({ ...view("ready"), server: { kind: "ended", message: "Gone." } }),
  ].map(({ text, tooltip, severity }) => `${text} | ${tooltip} | ${severity}`);
  assert.deepEqual(shown, [
    "$(loading~spin) Fimble 40 % | m: downloading | none",
    "$(sparkle) Fimble | m is ready | none",
    "$(loading~spin) Fimble | m is thinking | none",
    "$(debug-pause) Fimble | Paused for this file. | none",
    "$(sync~spin) Fimble | Bad. Do this. | warning",
    "$(error) Fimble | Bad. Do this. | error",
    "$(circle-slash) Fimble | Switched off by the setting fimble.enabled. | none",
    "$(circle-slash) Fimble | The server is not installed. Click to install it. | warning",
    "$(error) Fimble | Gone. | error",
  ]);
});

test("the menu offers what can be done now", () => {
  const commands = (of: View, language?: string): string[] =>
    menu(of, language).map(({ command, argument }) => `${command} ${argument ?? ""}`.trim());
  assert.deepEqual(commands(view("ready"), "python").slice(0, 4), [
    "fimble.pause file",
    "fimble.pause language",
    "fimble.pause workspace",
    "fimble.pause hour",
  ]);
  assert.deepEqual(commands(view("ready"))[0], "fimble.pause workspace");
  assert.deepEqual(commands(view("ready", { paused: "here" }), "python")[0], "fimble.resume");
  const missing = commands({ ...view("ready"), server: { kind: "missing" } });
  assert.equal(missing[0], "fimble.installServer");
  assert.ok(!missing.includes("fimble.restart"));
});

test("a pause holds where it was asked for", () => {
  const held = (scope: "file" | "language" | "workspace" | "hour"): (string | undefined)[] => {
    const pauses = pause(NO_PAUSES, scope, PLACE, 0);
    return [pausedBy(pauses, PLACE, 1), pausedBy(pauses, OTHER, 1), pausedBy(pauses, undefined, 1)];
  };
  assert.deepEqual(held("file"), ["for this file", undefined, undefined]);
  assert.deepEqual(held("language"), ["for the language python", undefined, undefined]);
  assert.deepEqual(held("workspace"), Array(3).fill("in this workspace"));
  assert.deepEqual(held("hour"), Array(3).fill("for 60 more minutes"));
});

test("an hour ends, and resuming lifts only what holds here", () => {
  const hour = pause(NO_PAUSES, "hour", PLACE, 1000);
  assert.equal(pausedBy(hour, PLACE, 1000 + HOUR_MS - 1), "for 1 more minute");
  assert.equal(pausedBy(hour, PLACE, 1000 + HOUR_MS), undefined);
  const two = pause(pause(hour, "language", PLACE, 0), "language", OTHER, 0);
  const resumed = resume(two, PLACE);
  assert.equal(pausedBy(resumed, PLACE, 1001), undefined);
  assert.equal(pausedBy(resumed, OTHER, 1001), "for the language go");
});

test("only what the user has set is sent, and nothing of ours", () => {
  const values: Record<string, unknown> = {
    "fimble.model": "big",
    "fimble.completion.maxTokens": 5,
    "fimble.completion.multiline": "auto",
    "fimble.server.path": "/x",
    "fimble.trace.server": "verbose",
  };
  const set = ["fimble.model", "fimble.completion.maxTokens", "fimble.server.path"];
  const inspect = (key: string): object => (set.includes(key) ? { globalValue: values[key] } : {});
  assert.deepEqual(
    section(Object.keys(values), inspect, (key) => values[key]),
    { model: "big", completion: { maxTokens: 5 } },
  );
});

function explanation(reason: string, totalMs: number, detail = ""): Explanation {
  const trace = { promptTokens: 9, reused: 8, evaluated: 1, generated: 4 };
  return { uri: PLACE.uri, position: { line: 2, character: 4 }, reason, detail, totalMs, trace };
}

test("why nothing was suggested is told in a sentence", () => {
  const running = view("ready");
  const paused = view("ready", { paused: "for this file" });
  assert.equal(why(paused, false, explanation("shown", 1)), "Fimble is paused for this file.");
  assert.match(why(running, false), /not been asked/);
  assert.match(why(running, true, explanation("shown", 1)), /editor.inlineSuggest.enabled is off/);
  assert.equal(
    why(running, false, explanation("parse", 1, "missing )")),
    "Line 3, column 5: The suggestion would have broken the file's syntax. (missing ))",
  );
  assert.match(why(running, false, explanation("new_reason", 1)), /The reason is `new_reason`/);
});

test("without a server, that is why nothing was suggested", () => {
  const told = (server: View["server"]): string => why(view("ready", { server }), false);
  assert.match(told({ kind: "missing" }), /not installed/);
  assert.match(told({ kind: "installing", step: "making it" }), /making it/);
  assert.match(told({ kind: "starting" }), /being started/);
  assert.equal(told({ kind: "ended", message: "It fell." }), "It fell.");
});

test("the figures are a page of Markdown", () => {
  const full: Status = {
    ...status("ready"),
    version: "0.1.0",
    rates: { prefill: 200.4, decode: 40 },
    memory: { rssBytes: 900e6, kvCellsUsed: 10, kvCellsTotal: 100 },
  };
  const page = statistics(full, [
    explanation("shown", 30),
    explanation("empty", 900),
    explanation("shown", 10),
    explanation("shown", 20),
  ]);
  assert.match(page, /\| reads \| 200 tokens a second \|/);
  assert.match(page, /Half of the suggestions came within 20 ms\./);
  assert.match(page, /\| shown \| 3 \|/);
  assert.ok(!statistics({ ...full, rates: null, memory: null }, []).includes("tokens a second"));
});
