import assert from "node:assert/strict";
import { test } from "node:test";

import { within } from "../src/within";

test("what comes in time is returned", async () => {
  assert.equal(await within(10_000, Promise.resolve("here")), "here");
});

test("a failure in time is passed on", async () => {
  await assert.rejects(within(10_000, Promise.reject(new Error("broken"))), /^Error: broken$/);
});

test("nobody waits for what never comes", async () => {
  await assert.rejects(within(20, new Promise(() => {})), /no answer for 0\.02 s/);
});

test("nobody waits for what is not wanted any more", async () => {
  const abort = new AbortController();
  const waiting = within(10_000, new Promise(() => {}), abort.signal);
  abort.abort();
  await assert.rejects(waiting, /not waited for/);
});
