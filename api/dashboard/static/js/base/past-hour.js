// What the history knows of the last hour, by queue or by type, read once a minute.
import { narrowed } from "./dom.js";
import { Refresh } from "../frame/refresh.js";
import { request } from "./http.js";
import { now } from "./time.js";

const MINUTES = 60;

export class PastHour {
  /** @param {"queue" | "type"} by @param {() => void} changed */
  constructor(by, changed) {
    /** By name, the points of its minutes by minute. @type {Map<string, Map<number, any>>} */
    this.names = new Map();
    const read = new Refresh(async (signal) => {
      const { items } = await request(`/stats/history?by=${by}&step=1m`, { signal });
      this.names = new Map(items.map((/** @type {any} */ { name, points }) => [name, new Map(points.map((/** @type {any} */ point) => [Date.parse(point.at) / 60_000, point]))]));
      changed();
    }, { every: 60_000, told: () => {} });
    if (!narrowed) read.now(); // it is about all queues and types
  }

  /** A figure in each of the last 60 minutes, oldest first. @param {string} name @param {(point: any) => number} of @returns {number[]} */
  minutes(name, of) {
    const points = this.names.get(name), last = Math.floor(now() / 60_000);
    return Array.from({ length: MINUTES }, (_, i) => points?.get(last - MINUTES + 1 + i)).map((point) => (point ? of(point) : 0));
  }

  /** Its sum. @param {string} name @param {(point: any) => number} of */
  sum(name, of) { return this.minutes(name, of).reduce((sum, n) => sum + n, 0); }
}
