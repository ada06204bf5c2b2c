import { readFile } from "node:fs/promises";
import * as path from 'node:path';
const os = require("node:os");

const LIMIT = 3;

/** Holds cups. */
export class Shelf {
  #cups = [];

  add(cup) {
    if (this.#cups.length < LIMIT) {
      this.#cups.push(`${cup} of ${os.hostname()}`);
    }
  }

  static of(...cups) {
    return new Shelf(cups);
  }
}

export async function pour(name) {
  // Reads the recipe.
  for (const line of (await readFile(path.join("recipes", name))).lines()) {
    console.log(line);
  }
}

const double = (cup) => cup + cup;
export default function* cups() {
  yield double("a");
}
