import type { Cup } from "./cup";
import fs = require("fs");

export interface Shelf {
  readonly cups: Cup[];
  add(cup: Cup): void;
}

type Filter = (cup: Cup) => boolean;

export enum Size {
  Small = "s",
  Large = "l",
}

namespace Kitchen {
  export const limit = 3;
}

/** Holds cups. */
export abstract class Wall implements Shelf {
  constructor(readonly cups: Cup[]) {}

  add(cup: Cup): void {
    if (this.cups.length < Kitchen.limit) {
      this.cups.push(cup);
    }
  }

  abstract paint(colour: string): void;
}

export function pick(shelf: Shelf, filter: Filter): Cup | undefined {
  // The first one will do.
  return shelf.cups.find(filter);
}

const names = (shelf: Shelf): string[] => shelf.cups.map((cup) => `${cup}`);
