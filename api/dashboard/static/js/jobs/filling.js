// Reads what the rows of a list lack: events carry neither payload nor result. It also finds out how many jobs match by
// now, as most jobs that come and go are not among the rows, and how many are hidden while the rows must stand still.
import { address, isDeep, matches } from "../lists/filter.js";
import { request } from "../base/http.js";

/** The most rows that a list has. */
export const MOST_ROWS = 150;
const FEWEST = 25;
const FILL_AFTER_MS = 400;
const LOOK_EVERY_MS = 3000;

export class Filling {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    this.lookedAt = -Infinity;
    /** When an event came after which another number of jobs may match. */
    this.toldAt = -Infinity;
    /** How many summaries had come before the last look. */
    this.seen = 0;
    /** The quarantined types. @type {Set<string>} */
    this.held = new Set();
  }

  /** Let the rows say which jobs a quarantine holds back. @param {string[]} [types] */
  hold(types = []) {
    if (String(types) === String([...this.held])) return;
    this.held = new Set(types);
    for (const row of this.table.rows.values()) this.table.painting.add(row);
  }

  /** Take an event: with most filters, a job may have begun or ceased to match by it. @param {string} kind @param {any} job */
  tell(kind, job) {
    const { type, queue, tag, ...more } = this.table.filter;
    const mayCount = kind === "job.enqueued" || (kind !== "job.progress" && Object.keys(more).length > 0);
    if (mayCount && matches(job, { type, queue, tag })) this.toldAt = performance.now();
  }

  /** Whether to count again now: not at once while events keep coming, and not for a search, which costs too much. */
  get isDue() {
    const { catchUp, filter } = this.table, countedAt = Math.max(this.lookedAt, catchUp.beganAt);
    return this.toldAt > countedAt && performance.now() - countedAt > LOOK_EVERY_MS && !isDeep(filter);
  }

  /** Look now and then for what summaries left open since the last look; not for a search, which costs too much. */
  look() {
    const { catchUp, filter } = this.table;
    if (performance.now() - this.lookedAt > LOOK_EVERY_MS && catchUp.summaries !== this.seen && !isDeep(filter)) this.soon();
  }

  /** Read soon, once for all rows that lack something. */
  soon() {
    this.lacking = true;
    if (this.filling) return;
    this.filling = true;
    setTimeout(async () => {
      const began = performance.now();
      this.lacking = false;
      try { await this.fill(); } catch { /* the next change tries again */ }
      // Ask a slow server less often.
      setTimeout(() => { this.filling = false; if (this.lacking) this.soon(); }, (performance.now() - began) * 10);
    }, FILL_AFTER_MS);
  }

  async fill() {
    this.lookedAt = performance.now();
    const { filter, cursor, rows, fresh, frame, catchUp } = this.table;
    if (!frame.isRead) return;
    const limit = Math.min(MOST_ROWS, Math.max(FEWEST, rows.size + fresh.size));
    const { summaries, uncounted, beganAt } = catchUp;
    const page = await request(address("/jobs", filter, { limit, cursor, preview: true }));
    this.hold(page.quarantined);
    for (const job of page.items) this.table.rows.get(job.id)?.learn(job);
    if (catchUp.beganAt !== beganAt) return; // a page was read meanwhile, which is newer
    this.seen = summaries;
    frame.learnTotal(page);
    if (cursor === null) catchUp.looked(page.items, limit, { summaries, uncounted });
    frame.showButtons();
  }
}
