// Reads what the rows of a list lack: events carry neither payload nor result.
import { address } from "./filter.js";
import { request } from "./http.js";

/** Of a list. */
export const MOST_ROWS = 150;
const FILL_AFTER_MS = 400;

export class Filling {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) { this.table = table; }

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
    const { filter, cursor, rows, fresh, frame } = this.table;
    const limit = Math.min(MOST_ROWS, rows.size + fresh.size);
    const page = await request(address("/jobs", filter, { limit, cursor, preview: true }));
    if (this.table.filter === filter) frame.learnTotal(page);
    for (const job of page.items) this.table.rows.get(job.id)?.learn(job);
  }
}
