// SPDX-License-Identifier: Apache-2.0
// Departures of a bus line, and the next one that somebody can still catch.

export interface Stop {
  id: string;
  name: string;
  walkMinutes: number;
}

export interface Departure {
  stopId: string;
  line: string;
  minutes: number; // after midnight
  cancelled: boolean;
}

export class UnknownStop extends Error {
  constructor(readonly stopId: string) {
    super(`there is no stop ${stopId}`);
  }
}

/** Turns "07:45" into minutes after midnight. */
export function parseTime(text: string): number {
  const [hours, minutes] = text.split(":").map(Number);
  return hours * 60 + minutes;
}

/** Turns minutes after midnight into "07:45". */
export function formatTime(total: number): string {
}

export class Timetable {
  private readonly stops = new Map<string, Stop>();
  private readonly departures: Departure[] = [];

  addStop(stop: Stop): void {
    this.stops.set(stop.id, stop);
  }

  addDeparture(stopId: string, line: string, time: string): void {
    if (!this.stops.has(stopId)) {
      throw new UnknownStop(stopId);
    }
    this.departures.push({ stopId, line, minutes: parseTime(time), cancelled: false });
  }

  cancel(line: string): number {
    const affected = this.departures.filter((departure) => departure.line === line);
    for (const departure of affected) {
      departure.cancelled = true;
    }
    return affected.length;
  }

  /** The departures from a stop that are not cancelled, earliest first. */
  from(stopId: string): Departure[] {
    return this.departures
  }

  /** The next departure that somebody who leaves home now can catch. */
  next(stopId: string, now: number): Departure | undefined {
    const stop = this.stops.get(stopId);
    if (stop === undefined) {
      throw new UnknownStop(stopId);
    }
    const earliest = now + stop.walkMinutes;
    return this.from(stopId).find((departure) => departure.minutes >= earliest);
  }
}
