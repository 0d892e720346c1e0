// Rows that a summary of many events named. A summary does not say how a job is now, so these rows are read again.
import { address, isDeep, matches } from "../lists/filter.js";
import { request } from "../base/http.js";
import { isBefore } from "./newer.js";

const EVERY_MS = 400;
const AGAIN_MS = 5000;
const MOST_ALONE = 20;

/** @typedef {Record<string, (number | [number, number])[]>} Changed ids under the newest kind of each: one, or the first and last of a run */

export class CatchUp {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    /** The jobs that were named and not read since. @type {Set<number>} */
    this.stale = new Set();
    /** The jobs that are being read. @type {Set<number>} */
    this.reading = new Set();
    this.summed = false;
    this.summaries = 0;
    this.begin();
  }

  /** Begin anew, as the page was read. A summary that came meanwhile, which sets `summed`, may be newer. */
  begin() {
    this.beganAt = performance.now();
    /** New jobs that summaries counted, besides those that the table knows. */
    this.uncounted = 0;
    /** New jobs that a look at the list found. @type {Set<number>} */
    this.found = new Set();
    /** Whether jobs of which no event told may match the filter now. */
    this.mayLack = this.summed;
    this.stale = new Set(this.summed ? this.table.rows.keys() : []);
    this.reading.clear();
    this.summed = false;
  }

  /** Whether the page was read long enough ago to be read again. */
  get isDue() { return performance.now() - this.beganAt > AGAIN_MS; }

  /**
   * Take the first jobs of the list: those that the table does not know wait to be shown, unless they stand below it.
   * @param {any[]} jobs @param {number} limit how many were asked for @param {{summaries: number, uncounted: number}} before how it was then
   */
  looked(jobs, limit, { summaries, uncounted }) {
    if (!this.mayLack) return; // else they were counted
    const { rows, fresh, oldest, filter } = this.table;
    const last = oldest === 0 ? undefined : [...rows.values()].pop()?.job;
    const unknown = jobs.filter((job) => !rows.has(job.id) && !fresh.has(job.id) && (!last || isBefore(job, last, filter)));
    if (unknown.length === limit) return void (this.uncounted = Math.max(this.uncounted, limit)); // and perhaps more
    this.found = new Set(unknown.map(({ id }) => id));
    this.uncounted -= uncounted; // what has come since stays
    this.mayLack = this.summaries !== summaries;
  }

  /** How many new jobs are known besides those in the table. */
  get missing() { return this.uncounted + this.found.size; }

  /** Note that a job which a summary counted is now known to the table. */
  knows() { this.uncounted = Math.max(0, this.uncounted - 1); }

  /** @param {{counts: Record<string, Record<string, number>>, changed: Changed, events: any[]}} summary its events are given to the table afterwards */
  take({ counts, changed, events }) {
    const { rows, fresh, filter, cursor, frame } = this.table;
    this.summed = true; // for a page that is being read
    this.summaries++;
    if (!frame.isRead) return;
    this.mark(changed, [...rows.keys(), ...cursor === null && !isDeep(filter) ? fresh.keys() : []]); // on other pages, none are inserted
    const others = Object.keys(filter).filter((name) => name !== "type" && name !== "q"); // any new job may have the text
    if (others.length) this.mayLack = true;
    else {
      const told = events.filter(({ kind, job }) => kind === "job.enqueued" && !rows.has(job.id) && !fresh.has(job.id) && matches(job, filter)).length;
      const types = Object.entries(counts["job.enqueued"] ?? {}).filter(([type]) => !filter.type || type === filter.type);
      this.uncounted += Math.max(0, types.reduce((sum, [, n]) => sum + n, 0) - told);
    }
  }

  /** Mark those of `ids` that changed. @param {Changed} changed @param {Iterable<number>} ids */
  mark(changed, ids) {
    const kinds = Object.values(changed);
    for (const id of ids) if (kinds.some((parts) => isAmong(id, parts))) this.stale.add(id);
  }

  /** Note that an event told how this job is: the answer being read may be older. @param {number} id */
  told(id) {
    this.stale.delete(id);
    this.reading.delete(id);
    this.found.delete(id);
  }

  /** Read what is marked, and go on while there is something. */
  async read() {
    if (this.busy || !this.stale.size) return;
    this.busy = true;
    const began = performance.now();
    [this.reading, this.stale] = [this.stale, new Set()];
    try { if (!isDeep(this.table.filter)) await this.readPage(); await this.readOthers(); } catch { /* they stay marked */ }
    for (const id of this.reading) this.stale.add(id);
    this.reading.clear();
    setTimeout(() => { this.busy = false; this.table.schedule(); }, Math.max(EVERY_MS, (performance.now() - began) * 10));
  }

  async readPage() {
    const { rows, fresh, filter, cursor } = this.table;
    const limit = Math.min(500, rows.size + fresh.size);
    const page = await request(address("/jobs", filter, { limit, cursor, preview: true }));
    for (const job of page.items) this.show(job);
    // New jobs stand at the top: one that is not there does not match now, or others that came since hide it.
    const isHidden = page.next_cursor !== null && (this.uncounted > 0 || limit === 500);
    for (const id of this.reading) if (this.table.fresh.delete(id) && isHidden) this.uncounted++;
  }

  /** Read the jobs that the filter no longer shows, or that stand farther down. */
  async readOthers() {
    for (const id of [...this.reading].slice(0, MOST_ALONE)) {
      if (!this.table.rows.has(id) && !this.table.fresh.has(id)) { this.reading.delete(id); continue; }
      try {
        const { payload, result, ...job } = await request(`/jobs/${id}`); // whole values, but a row has previews
        this.show(job);
      } catch (error) {
        if (error.status !== 404) throw error;
        this.reading.delete(id);
        this.table.deleted(id);
      }
    }
  }

  show(job) {
    if (!this.reading.delete(job.id)) return;
    if (this.table.fresh.has(job.id)) this.table.renew(job);
    else this.table.patch(job.id, job);
  }
}

/** Whether an id is one of ascending ids and runs. @param {number} id @param {(number | [number, number])[]} parts */
function isAmong(id, parts) {
  let low = 0, high = parts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, part = parts[middle];
    const [first, last] = Array.isArray(part) ? part : [part, part];
    if (id < first) high = middle - 1;
    else if (id > last) low = middle + 1;
    else return true;
  }
  return false;
}
