// Run the examples of one function: `node examples.cjs FILE NAME BEFORE TOLD`.
//
// They stand in the comments of the text TOLD: `>>> double(2)` above `4`, lines such as
// `double(2) // => 4`, `double(2) -> 4`, `double(2) === 4`, `assert.equal(double(2), 4)` or
// `expect(double(2)).toBe(4)`, `Input: 2` above `Output: 4`, and `for a = 2 the output should be
// 4`, where both sides can be evaluated. If all pass it says so in its last line. Otherwise it ends
// with 1 if one fails, and with 2 if nobody knows: there is none, or it needs what is not here.

const { strict: assert } = require("node:assert");
const { readFileSync } = require("node:fs");
const { isBuiltin } = require("node:module");
const { inspect, isDeepStrictEqual } = require("node:util");
const vm = require("node:vm");

const ARROW = /=+>|===?|-+>|➞|→|\breturns\b|\/\/|#/g;
const LEADING_ARROW = /^(?:\/\/ *)?(?:=+>|-+>|➞|→|returns\b)\s*/;
const EXPECTED = /^expect\((.*)\)\.to(?:Be|Equal|StrictEqual)\((.*)\);?$/;
const GIVEN = /^Input: *(\S.*)\n+Output: *(\S.*)$/gm;
const SAID =
  /^(?:for|if|when) +(\w+ *=.*?),? +(?:the +)?(?:output|result|answer) +(?:(?:should|would|will) +be|is) +(\S.*)$/gim;
const UNFINISHED = /(?:[^\s\w"'`)\]},.:;]|\b(?:typeof|await|new|void|delete|return|in|of))\s*$/;
const BULLET = /^(?:[-*+] +)?$/;
const PARAMETERS = /([\w$]+)\s*=>|\(([^()]*)\)\s*=>|\bfunction\b[^(]*\(([^()]*)\)/g;
const IMPORT = /^import\s+(?:([\s\S]*?)\s+from\s+)?(["'])(.*?)\2[^\n]*$/gm;
const KEYWORDS = new Set(
  "async await delete false function in instanceof new null of return this true typeof undefined void".split(" "),
);
const WAIT_MS = 2000;
const FAILED = 1;
const UNKNOWN = 2;

/** What a file imports and is not here: who needs it cannot be judged. */
const missing = new Set();
/** How often the file has printed something. */
let printed = 0;

class Ended extends Error {}

/** Yield what a text claims: evaluating the first of two texts gives what the second does. */
function* claims(text, name) {
  const lines = text
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\/?\*+(?!\/)|\/\/+)?|\*+\/\s*$/g, "").trim());
  const called = new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}\\(`);
  for (const [number, line] of lines.entries()) {
    const start = line.search(called);
    if (start >= 0) {
      const claim = candidates(line, start, lines[number + 1] ?? "").find(meansSomething);
      if (claim !== undefined) {
        yield claim;
      }
    }
  }
  const bare = lines.join("\n");
  for (const [, given, wanted] of [...bare.matchAll(GIVEN), ...bare.matchAll(SAID)]) {
    const claim = [`${name}(${positional(given, name) ?? "?"})`, tidy(wanted)];
    if (meansSomething(claim)) {
      yield claim;
    }
  }
}

/** Return the ways to read a line with a call at `start`, the likeliest first. */
function candidates(line, start, next) {
  if (line.startsWith(">")) {
    return [[tidy(line.replace(/^>+/, "")), tidy(next)]];
  }
  const expected = EXPECTED.exec(line);
  if (expected !== null) {
    return [[expected[1], expected[2]]];
  }
  if (/^(?:console\.)?assert\b/.test(line)) {
    return [[`(${tidy(line)}, true)`, "true"]];
  }
  const before = line.slice(0, start);
  // Behind an operator it is a part; behind prose it is all.
  const begins = BULLET.test(before) ? [start] : UNFINISHED.test(before) ? [0] : [0, start];
  const found = begins.flatMap((begin) => split(line.slice(begin)));
  return LEADING_ARROW.test(next) ? [...found, [tidy(line), tidy(next)]] : found;
}

/** Return what stands on both sides of each arrow. */
function split(line) {
  return [...line.matchAll(ARROW)].map(({ index, 0: arrow }) => {
    // Of a calculation the result counts.
    const [result] = line.slice(index + arrow.length).split(" = ").slice(-1);
    const call = tidy(line.slice(0, index));
    return [call.replace(/^console\.log\((.*)\)$/, "$1"), tidy(result)];
  });
}

function tidy(text) {
  return text.trim().replace(LEADING_ARROW, "").replace(/[.,;]+$/, "");
}

/** Return named arguments by their places; undefined if the parameters have another order. */
function positional(given, name) {
  const names = [...given.matchAll(/(?:^|,\s*)([A-Za-z_$][\w$]*)\s*=(?!=)/g)].map((one) => one[1]);
  const code = String(vm.runInThisContext(name));
  const parameters = (/\(([^)]*)\)|^([\w$]+)\s*=>/.exec(code)?.[1] ?? "").split(",");
  const fits = names.every((one, at) => parameters[at]?.trim().split(/\W/)[0] === one);
  return fits ? given.replace(/(^|,\s*)[A-Za-z_$][\w$]*\s*=(?!=)\s*/g, "$1") : undefined;
}

/** Tell whether both sides are expressions of known names, and the second has a value. */
function meansSomething([call, wanted]) {
  // What stands in parentheses is a tuple of Python, or an aside.
  if (!call || !wanted || /^\((?!.*, true\)$)/.test(call) || wanted.startsWith("(")) {
    return false;
  }
  try {
    const value = vm.runInThisContext(`(${wanted}\n)`, { timeout: WAIT_MS });
    new vm.Script(`async () => (${call}\n)`);
    return (typeof value !== "function" || isError(value)) && unknown(call).length === 0;
  } catch {
    return false;
  }
}

function isError(value) {
  return value === Error || value.prototype instanceof Error;
}

/** Return the names in an expression that nothing defines. */
function unknown(text) {
  const bare = text.replace(/(["'`])(?:\\.|(?!\1).)*\1/g, "''").replace(/[\w$]+(?=\s*:)/g, "");
  const bound = [...bare.matchAll(PARAMETERS)].flatMap((one) => one.slice(1).join(",").split(/\W+/));
  const names = bare.match(/(?<![\w$]|(?<!\.\.)\.)[A-Za-z_$][\w$]*/g) ?? [];
  return names.filter(
    (name) =>
      !KEYWORDS.has(name) &&
      !bound.includes(name) &&
      vm.runInThisContext(`typeof ${name}`) === "undefined",
  );
}

/** Run an example; return undefined if nobody knows, else whether it holds, and say if it does not. */
async function holds([call, wanted]) {
  const before = printed;
  let got;
  try {
    got = await within(vm.runInThisContext(`(async () => (${call}\n))()`, { timeout: WAIT_MS }));
  } catch (error) {
    got = error;
  }
  const expected = vm.runInThisContext(`(${wanted}\n)`);
  if (typeof expected === "function" ? got instanceof expected : alike(got, expected, wanted)) {
    return true;
  }
  if (isForeign(got) || (got === undefined && printed > before)) {
    return undefined;
  }
  print(`Failed example:\n    ${call}\nExpected:\n    ${wanted}\nGot:\n    ${inspect(got)}`);
  return false;
}

function within(promise) {
  const late = new Promise((_, reject) => setTimeout(reject, WAIT_MS, new Error("it does not end")));
  return Promise.race([promise, late]);
}

/** Tell whether two values are the same data; `-0` is `0`, and `4n` may be written as `4`. */
function alike(one, other, written) {
  const shown = (value) =>
    inspect(value, { depth: null, sorted: true, maxArrayLength: null, maxStringLength: null })
      .replace(/-0(?![.\d])/g, "0");
  return (
    isDeepStrictEqual(one, other) ||
    shown(one) === shown(other) ||
    (typeof one === "bigint" && String(one) === written)
  );
}

/** Tell whether an error says that something is not here, or that the file wanted to end. */
function isForeign(error) {
  if (error instanceof ReferenceError) {
    return missing.has(error.message.split(" ")[0]);
  }
  return error instanceof Ended || error?.code === "MODULE_NOT_FOUND";
}

/** Return a file as a script: what modules say beyond that goes, but for Node's own modules. */
function script(path) {
  return readFileSync(path, "utf8")
    .replace(IMPORT, (_, names, __, from) => (names ? imported(names, from) : ""))
    .replace(/^export\s*(?:\{[^}]*\}|\*)(?:[^\n;]*\bfrom\b[^\n]*)?;?/gm, "")
    .replace(/^export\s+default\s+(?!(?:async\s+)?function\b|class\b)/gm, "void ")
    .replace(/^export\s+(?:default\s+)?/gm, "");
}

function imported(names, from) {
  const [, alone] = /^([\w$]+)/.exec(names) ?? [];
  const [, all] = /\*\s*as\s+([\w$]+)/.exec(names) ?? [];
  const [, some] = /\{([\s\S]*)\}/.exec(names) ?? [];
  const pairs = (some ?? "").split(",").map((one) => one.trim()).filter(Boolean);
  if (!isBuiltin(from)) {
    const bound = [alone, all, ...pairs.map((one) => one.split(/\s+as\s+/).at(-1))];
    bound.filter(Boolean).forEach((name) => missing.add(name));
    return "";
  }
  const whole = [alone, all].filter(Boolean).map((name) => `const ${name} = require("${from}");`);
  const parts = pairs.map((one) => one.replace(/\s+as\s+/, ": ")).join(", ");
  return [...whole, parts && `const { ${parts} } = require("${from}");`].join(" ");
}

const { exit } = process;
const print = console.log.bind(console);

/** Let the file have what modules have, and nothing that ends or prints. */
function prepare() {
  const noted = () => void (printed += 1);
  Object.assign(console, { log: noted, info: noted, debug: noted, table: noted, assert });
  Object.assign(process, { exit: ended, abort: ended, exitCode: undefined });
  Object.assign(globalThis, { assert, require, module, exports: module.exports });
  Object.assign(globalThis, { True: true, False: false, None: null });
  // What it leaves behind says nothing of its examples.
  process.on("uncaughtException", () => {});
}

function ended() {
  throw new Ended();
}

/** Return the exit status for a file that cannot be run: what went wrong before says nothing. */
function blame(error, before) {
  if (isForeign(error)) {
    return UNKNOWN;
  }
  try {
    vm.runInThisContext(`(() => {${script(before)}\n})()`, { timeout: WAIT_MS });
  } catch (old) {
    if (isForeign(old) || old?.name === error?.name) {
      return UNKNOWN;
    }
  }
  print(`It cannot be run:\n    ${error}`);
  return FAILED;
}

async function main([path, name, before, told]) {
  prepare();
  try {
    vm.runInThisContext(script(path), { timeout: WAIT_MS });
  } catch (error) {
    return blame(error, before);
  }
  const held = [];
  for (const claim of claims(readFileSync(told, "utf8"), name)) {
    held.push(await holds(claim));
  }
  if (held.includes(false)) {
    return FAILED;
  }
  if (!held.includes(true)) {
    return UNKNOWN;
  }
  print("fimble: passed");
  return 0;
}

// Now, whatever the file still waits for.
main(process.argv.slice(2)).then(exit);
