// The live table of jobs: a page of GET /jobs, kept up to date by events.
//
// The table never moves under a reader. Rows are updated in place. New rows are inserted only while
// nobody points at, selects or focuses anything in the table, and only if few come at a time;
// otherwise they wait behind the button "N new". While paused or hidden, the table only counts.
import { arrange, byId, setAttr, setText } from "./dom.js";
import { request } from "./http.js";
import { CatchUp } from "./catch-up.js";
import { JobRow } from "./job-row.js";
import { address, matches } from "./filter.js";
import { everySecond } from "./time.js";
import { count, plural } from "./words.js";

const PAGE = 50;
const MOST_ROWS = 150;
const MOST_FRESH = 1000;
const MOST_AT_ONCE = 25;
const FILL_AFTER_MS = 400;

const upToMost = (n) => (n < MOST_FRESH ? count(n) : `${count(MOST_FRESH)}+`);

export class JobsTable {
  constructor() {
    /** @type {Map<number, JobRow>} */
    this.rows = new Map();
    /** @type {Map<number, any>} */
    this.fresh = new Map();
    /** @type {Map<number, any>} */
    this.changed = new Map();
    this.catchUp = new CatchUp(this);
    this.filter = {};
    this.cursor = null;
    this.paused = false;
    this.body = byId("rows");
    const table = this.body.closest("table");
    table.addEventListener("pointerenter", (event) => { this.pointed = event.pointerType === "mouse"; });
    table.addEventListener("pointerleave", () => { this.pointed = false; this.schedule(); });
    table.addEventListener("focusout", () => this.schedule());
    document.addEventListener("visibilitychange", () => this.schedule());
    everySecond(() => {
      for (const row of this.rows.values()) if (row.dirty) row.show({}); else if (row.ticks) row.tick();
    });
    byId("new").addEventListener("click", () => this.showNew());
    byId("pause").addEventListener("click", () => this.pause());
  }

  /** Read the page again. @param {Record<string, string>} [filter] @param {string | null} [cursor] */
  async load(filter = this.filter, cursor = this.cursor) {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.filter = filter;
    this.cursor = cursor;
    this.fresh.clear();
    this.changed.clear();
    this.catchUp.begin();
    setAttr(this.body, "aria-busy", "true");
    try {
      const page = await request(address("/jobs", filter, { limit: PAGE, cursor, preview: true }), { signal: loading.signal });
      if (loading.signal.aborted) return;
      this.show(page);
    } finally {
      if (this.loading === loading) { this.loading = null; setAttr(this.body, "aria-busy", null); }
    }
    this.catchUp.loaded();
    this.schedule(); // events that came meanwhile are newer than the page
  }

  show({ items, total, next_cursor: next }) {
    const rows = new Map();
    for (const job of items) {
      const row = this.rows.get(job.id) ?? new JobRow(job);
      row.show(job);
      row.node.classList.remove("other", "arrived");
      rows.set(job.id, row);
    }
    this.rows = rows;
    this.oldest = next === null ? 0 : items[items.length - 1].id;
    arrange(this.body, [...rows.values()].map(({ node }) => node));
    this.total = total;
    this.showTotal();
    const older = byId("older"), newest = byId("newest");
    older.hidden = next === null;
    older.href = address("/", this.filter, { cursor: next });
    newest.hidden = this.cursor === null;
    newest.href = address("/", this.filter);
    const filtered = Object.keys(this.filter).length > 0 || this.cursor !== null;
    byId("no-match").hidden = rows.size > 0 || !filtered;
    byId("first-steps").hidden = rows.size > 0 || filtered;
    this.showButtons();
  }

  showTotal() {
    const { value, relation } = this.total;
    if (this.filter.q) return setText(byId("total"), `${count(value)} of the newest 10,000 match`);
    const match = Object.keys(this.filter).length ? (value === 1 ? " matches" : " match") : "";
    setText(byId("total"), `${relation === "gte" ? "at least " : ""}${plural(value, "job")}${match}`);
  }

  /** @param {any[]} events */
  take(events) {
    for (const { kind, job } of events) {
      if (!kind.startsWith("job.")) continue;
      this.catchUp.told(job.id);
      if (this.rows.has(job.id)) this.changed.set(job.id, job);
      else if (this.fresh.has(job.id) || (this.fresh.size < MOST_FRESH && job.id > (this.oldest ?? 0) && matches(job, this.filter)))
        this.fresh.set(job.id, job);
      if (kind === "job.deleted") this.deleted(job.id);
    }
    this.schedule();
  }

  deleted(id) {
    this.fresh.delete(id);
    this.rows.get(id)?.node.classList.add("other");
  }

  schedule() {
    if (this.scheduled || this.loading) return;
    this.scheduled = true;
    const flush = () => { this.scheduled = false; this.flush(); };
    if (document.hidden) setTimeout(flush, 1000); // a hidden tab has no animation frames
    else requestAnimationFrame(flush);
  }

  flush() {
    if (this.loading) return;
    if (!this.paused && !document.hidden) {
      for (const [id, job] of this.changed) this.patch(id, job);
      this.changed.clear();
      if (this.catchUp.isPageOld && this.mayInsert()) { this.load(); return; }
      if (this.fresh.size && this.mayInsert()) this.insert();
      this.catchUp.read();
    }
    this.showButtons();
  }

  patch(id, job) {
    const row = this.rows.get(id);
    if (!row) return;
    row.show(job);
    row.node.classList.toggle("other", !matches(job, this.filter));
    if (row.lacks) this.fillSoon();
  }

  mayInsert() {
    const selection = getSelection();
    const selected = selection && !selection.isCollapsed && selection.containsNode(this.body, true);
    return this.cursor === null && !this.filter.q && this.waiting <= MOST_AT_ONCE && !this.pointed && !selected &&
      !this.body.contains(document.activeElement) && byId("filters").getBoundingClientRect().bottom > 0;
  }

  insert() {
    for (const job of this.fresh.values()) {
      const row = new JobRow(job);
      row.node.classList.add("arrived");
      this.rows.set(job.id, row);
    }
    this.fresh.clear();
    this.rows = new Map([...this.rows].sort(([a], [b]) => b - a));
    byId("no-match").hidden = byId("first-steps").hidden = true;
    if (this.rows.size > MOST_ROWS) { this.load(); return; }
    arrange(this.body, [...this.rows.values()].map(({ node }) => node));
    this.fillSoon();
  }

  get waiting() { return this.fresh.size + this.catchUp.uncounted; }

  /** Insert the waiting rows, or read the newest page. */
  showNew() {
    if (this.cursor !== null) return byId("newest").click();
    if (this.filter.q || this.catchUp.mayLack || this.waiting > MOST_AT_ONCE) return this.load();
    this.insert();
    this.showButtons();
  }

  showButtons() {
    const n = this.waiting;
    const button = byId("new");
    button.disabled = n === 0 && !this.catchUp.mayLack;
    setText(button, this.filter.q && n ? `${upToMost(n)} newer, search again` : `${upToMost(n)}${this.catchUp.mayLack ? "+" : ""} new`);
    const pause = byId("pause");
    setText(pause, this.paused ? `resume${this.changed.size ? ` (${count(this.changed.size)} changed)` : ""}` : "pause");
  }

  pause() {
    this.paused = !this.paused;
    setAttr(byId("pause"), "aria-pressed", String(this.paused));
    this.schedule();
  }

  /** Read payloads and results, which events do not carry: one read for all rows that lack them. */
  fillSoon() {
    this.lacking = true;
    if (this.filling) return;
    this.filling = true;
    setTimeout(async () => {
      const began = performance.now();
      this.lacking = false;
      try { await this.fill(); } catch { /* the next change tries again */ }
      // Ask a slow server less often.
      setTimeout(() => { this.filling = false; if (this.lacking) this.fillSoon(); }, (performance.now() - began) * 10);
    }, FILL_AFTER_MS);
  }

  async fill() {
    const limit = Math.min(MOST_ROWS, this.rows.size + this.fresh.size);
    const page = await request(address("/jobs", this.filter, { limit, cursor: this.cursor, preview: true }));
    this.total = page.total;
    this.showTotal();
    for (const job of page.items) this.rows.get(job.id)?.learn(job);
  }
}
