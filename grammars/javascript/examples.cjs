// Run the examples of one function: `node examples.cjs FILE NAME BEFORE TOLD`.
//
// They stand in the comments of the text TOLD: `>>> double(2)` above `4`, and lines such as
// `double(2) // => 4`, `double(2) -> 4`, `assert.equal(double(2), 4)` or `double(2) === 4`, or
// `Input: 2` above `Output: 4`, or `for a = 2 the output should be 4`, where both sides can be
// evaluated. If all pass it says so in its last line. Otherwise it ends with 1 if
// one fails, and with 2 if nobody knows: there is none, or the file cannot be run here by itself.

const assert = require("node:assert");
const { readFileSync } = require("node:fs");
const { isDeepStrictEqual, inspect } = require("node:util");
const vm = require("node:vm");

const ARROW = /=+>|===?|-+>|➞|→|\breturns\b|\/\/|#/g;
const GIVEN = /^Input: *(\S.*)\n+Output: *(\S.*)$/gm;
const SAID =
  /^(?:for|if|when) +(\w+ *=.*?),? +(?:the +)?(?:output|result|answer) +(?:(?:should|would|will) +be|is) +(\S.*)$/gim;
const ASSERTION = /^(?:console\.)?assert\b/;
const WAIT_MS = 2000;
const FAILED = 1;
const UNKNOWN = 2;

/** A claim: evaluating `call` gives what evaluating `wanted` does. */
function* shown(text, name, means) {
  const lines = text
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\/?\*+(?!\/)|\/\/+)?|\*+\/\s*$/g, "").trim());
  const called = new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}\\(`);
  for (const [number, line] of lines.entries()) {
    const start = line.search(called);
    if (start < 0) {
      continue;
    }
    if (line.startsWith(">")) {
      const claim = [line.replace(/^>+\s*/, ""), lines[number + 1] ?? ""];
      if (claim.every(means)) {
        yield claim;
      }
    } else if (ASSERTION.test(line)) {
      if (means(line)) {
        yield [`(${line.replace(/;$/, "")}, true)`, "true"];
      }
    } else {
      const claim = [...line.slice(start).matchAll(ARROW)]
        .map(({ index, 0: arrow }) => sides(line.slice(start), index, arrow))
        .find((pair) => pair.every(means));
      if (claim !== undefined) {
        yield claim;
      }
    }
  }
  const bare = lines.join("\n");
  for (const [, given, wanted] of [...bare.matchAll(GIVEN), ...bare.matchAll(SAID)]) {
    const claim = [`${name}(${given})`, wanted.replace(/[.,;]+$/, "")];
    if (given.split("=").slice(-1).concat(claim[1]).every(means)) {
      yield claim;
    }
  }
}

function sides(line, at, arrow) {
  const wanted = line.slice(at + arrow.length).replace(/^\s*(?:=+>|-+>|➞|→|returns\b)/, "");
  // Of a calculation the result counts.
  const [result] = wanted.split(" = ").slice(-1);
  return [line.slice(0, at), result].map((side) => side.trim().replace(/[.,;]+$/, ""));
}

/** Evaluate a text where the file was, as an expression. */
function evaluated(text, context) {
  return vm.runInContext(`(${text.replace(/;$/, "")}\n)`, context, { timeout: WAIT_MS });
}

/** Tell whether a text is an expression of known names; what stands in parentheses is a tuple. */
function meaning(context) {
  return (text) => {
    if (!text || text.startsWith("(")) {
      return false;
    }
    try {
      new vm.Script(`(${text.replace(/;$/, "")}\n)`);
      const bare = text.replace(/(["'`])(?:\\.|(?!\1).)*\1/g, "''").replace(/[\w$]+(?=\s*:)/g, "");
      const names = bare.match(/(?<![\w$.])[A-Za-z_$][\w$]*/g) ?? [];
      return names.every((name) => vm.runInContext(`typeof ${name}`, context) !== "undefined"
        || name === "undefined");
    } catch {
      return /^(?:true|false|null|new|typeof)$/.test(text);
    }
  };
}

/** Run an example; if it fails, say so as doctest does. */
function fails([call, wanted], context) {
  let got;
  try {
    got = evaluated(call, context);
  } catch (error) {
    got = error;
  }
  const expected = evaluated(wanted, context);
  const alike = isDeepStrictEqual(got, expected) || same(got, expected) || String(got) === wanted;
  if (alike || got instanceof Promise) {
    return false;
  }
  console.log(`Failed example:\n    ${call}\nExpected:\n    ${wanted}\nGot:\n    ${inspect(got)}`);
  return true;
}

/** Tell whether two values are alike as data: `-0` and `0`, an object of another class. */
function same(one, other) {
  try {
    assert.deepEqual(one, other);
    return typeof one === typeof other;
  } catch {
    return false;
  }
}

/** Run a file in a context of its own, the words of modules left out; its error if it has one. */
function load(path) {
  const claims = { assert: strict };
  const words = { True: true, False: false, None: null };
  const module = { exports: {} };
  const own = { module, exports: module.exports, require, process, Buffer, URL, structuredClone };
  const quiet = { ...console, log() {}, info() {}, assert: claims.assert };
  const context = vm.createContext({ ...words, ...own, console: quiet, ...claims });
  const text = readFileSync(path, "utf8");
  const bare = text.replace(/^export\s+(?:default\s+)?(?=[^\s{*])/gm, "");
  try {
    vm.runInContext(bare, context, { timeout: WAIT_MS });
    return [context, undefined];
  } catch (error) {
    return [context, error];
  }
}

/** As in tests, and what is claimed to be true must be. */
const strict = Object.assign((value, message) => assert(value, message), assert);

/** Return the exit status for a file that cannot be run: what went wrong before says nothing. */
function blame(error, before) {
  const [, old] = load(before);
  const foreign = error.code === "MODULE_NOT_FOUND" || /\b(?:import|export)\b/.test(error.message);
  if (foreign || (old !== undefined && old.name === error.name)) {
    return UNKNOWN;
  }
  console.log(`It cannot be run:\n    ${error}`);
  return FAILED;
}

function main([path, name, before, told]) {
  const [context, error] = load(path);
  if (error !== undefined) {
    return blame(error, before);
  }
  const claims = [...shown(readFileSync(told, "utf8"), name, meaning(context))];
  if (claims.filter((claim) => fails(claim, context)).length) {
    return FAILED;
  }
  if (!claims.length) {
    return UNKNOWN;
  }
  console.log("fimble: passed");
  return 0;
}

process.exitCode = main(process.argv.slice(2));
