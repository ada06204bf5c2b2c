/** The server's reasons and figures in words. Pure. */

import type { Explanation, Status } from "./protocol";
import type { View } from "./state";

const SENTENCES: Readonly<Record<string, string>> = {
  shown: "A suggestion was made.",
  empty: "The model had nothing useful to add here.",
  duplicate: "What the model would write stands there already.",
  parse: "The suggestion would have broken the file's syntax.",
  low_confidence: "The model was not sure enough of what comes next.",
  mid_word: "The cursor is inside a word.",
  in_comment: "Your settings want no suggestions in comments.",
  in_string: "Your settings want no suggestions in strings.",
  disabled: "Suggestions are switched off for this file, by your settings or because its name says that it holds secrets.",
  loading: "The model is still being loaded.",
  down: "The model's process died; it is being restarted.",
  failed: "The model could not be loaded. The log says why.",
  cancelled: "The editor withdrew its question, because you typed on.",
  stale: "You typed on before the answer was there.",
};

export const NEVER_ASKED =
  "The server has not been asked yet. Type something, or press Alt+\\ to ask now.";

/** Answer "why was nothing suggested?"; `isOff` says that VS Code shows no suggestions at all. */
export function why({ server, paused }: View, isOff: boolean, latest?: Explanation): string {
  switch (server.kind) {
    case "missing":
      return "The server is not installed. Run the command Fimble: Install the Server.";
    case "installing":
      return `The server is still being installed: ${server.step}.`;
    case "starting":
      return "The server is still being started.";
    case "ended":
      return server.message;
    case "running":
      break;
  }
  if (paused !== undefined) {
    return `Fimble is paused ${paused}.`;
  }
  if (isOff) {
    return "VS Code's own setting editor.inlineSuggest.enabled is off.";
  }
  if (latest === undefined) {
    return NEVER_ASKED;
  }
  const sentence = SENTENCES[latest.reason] ?? `The reason is \`${latest.reason}\`.`;
  const detail = latest.detail === "" ? "" : ` (${latest.detail})`;
  const { line, character } = latest.position;
  return `Line ${line + 1}, column ${character + 1}: ${sentence}${detail}`;
}

/** A page of Markdown with the server's figures. */
export function statistics(status: Status, latest: readonly Explanation[]): string {
  const lines = ["# Fimble", "", ...facts(status)];
  if (latest.length > 0) {
    lines.push("", `## The last ${latest.length} questions`, "", ...answers(latest));
  }
  return `${lines.join("\n")}\n`;
}

function facts(status: Status): string[] {
  const rows: [string, string][] = [
    ["version", status.version],
    ["model", status.model.name],
    ["state", status.state],
    ["restarts of the model's process", String(status.restarts)],
  ];
  if (status.rates !== null) {
    rows.push(["reads", `${status.rates.prefill.toFixed(0)} tokens a second`]);
    rows.push(["writes", `${status.rates.decode.toFixed(0)} tokens a second`]);
  }
  if (status.memory !== null) {
    rows.push(["memory", `${(status.memory.rssBytes / 1e6).toFixed(0)} MB`]);
    rows.push([
      "of its context used",
      `${status.memory.kvCellsUsed} of ${status.memory.kvCellsTotal} tokens`,
    ]);
  }
  return ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)];
}

function answers(latest: readonly Explanation[]): string[] {
  const counts = new Map<string, number>();
  for (const { reason } of latest) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const rows = [...counts].sort((one, other) => other[1] - one[1]);
  const times = latest
    .filter(({ reason }) => reason === "shown")
    .map(({ totalMs }) => totalMs)
    .sort((one, other) => one - other);
  const median = times[Math.floor(times.length / 2)];
  const table = ["| answer | times | |", "|---|---|---|"].concat(
    rows.map(([reason, count]) => `| ${reason} | ${count} | ${SENTENCES[reason] ?? ""} |`),
  );
  return median === undefined
    ? table
    : [`Half of the suggestions came within ${median.toFixed(0)} ms.`, "", ...table];
}
