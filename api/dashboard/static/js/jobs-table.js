// The live table of jobs: a page of GET /jobs, kept up to date by events.
//
// The table never moves under a reader. Rows are updated in place. New rows are inserted only while
// nobody points at, selects or focuses anything in the table, and only if few come at a time;
// otherwise they wait behind the button "N new". While paused or hidden, the table only counts.
import { CatchUp } from "./catch-up.js";
import { arrange, byId, setAttr, setText } from "./dom.js";
import { Filling, MOST_ROWS } from "./filling.js";
import { isByEnd, isDeep, matches } from "./filter.js";
import { readPage } from "./job-pages.js";
import { JobRow } from "./job-row.js";
import { ListFrame, MOST_FRESH } from "./list-frame.js";
import { everySecond } from "./time.js";

const MOST_AT_ONCE = 25;
const ENDS = new Set(["job.done", "job.failed", "job.cancelled"]);

export class JobsTable {
  /** @param {{path: string, page?: number, isShort?: boolean, isSelectable?: boolean, shown?: () => void}} how
   * `isShort`: only the newest of a page are shown, and no others. `shown` is called after rows have changed. */
  constructor({ path, page = 50, isShort = false, isSelectable = false, shown = () => {} }) {
    Object.assign(this, { path, page, isShort, isSelectable, shown });
    /** @type {Map<number, JobRow>} */
    this.rows = new Map();
    /** @type {Map<number, any>} */
    this.fresh = new Map();
    /** @type {Map<number, any>} */
    this.changed = new Map();
    this.catchUp = new CatchUp(this);
    this.filling = new Filling(this);
    this.frame = new ListFrame(this);
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
      const page = await readPage(filter, cursor, this.page, loading.signal, (text) => setText(byId("total"), text));
      if (loading.signal.aborted) return;
      this.show(page);
    } finally {
      if (this.loading === loading) { this.loading = null; setAttr(this.body, "aria-busy", null); }
    }
    this.catchUp.loaded();
    this.schedule(); // events that came meanwhile are newer than the page
  }

  show(page) {
    const { items, next_cursor: next } = page;
    const rows = new Map();
    for (const job of items) {
      const row = this.rows.get(job.id) ?? this.newRow(job);
      row.show(job);
      row.node.classList.remove("other", "arrived");
      rows.set(job.id, row);
    }
    this.rows = rows;
    this.oldest = next === null ? 0 : items.length ? items[items.length - 1].id : Infinity;
    this.arrangeRows();
    this.frame.show(page);
  }

  newRow(job) { return new JobRow(job, { isSelectable: this.isSelectable, isByEnd: () => isByEnd(this.filter) }); }

  arrangeRows() {
    arrange(this.body, [...this.rows.values()].map(({ node }) => node));
    this.shown();
  }

  /** @param {any[]} events */
  take(events) {
    for (const { kind, job } of events) {
      if (!kind.startsWith("job.")) continue;
      this.catchUp.told(job.id);
      if (this.rows.has(job.id)) this.changed.set(job.id, job);
      else if (this.fresh.has(job.id) || (this.fresh.size < MOST_FRESH && this.isNew(kind, job) && matches(job, this.filter)))
        this.fresh.set(job.id, job);
      if (kind === "job.deleted") this.deleted(job.id);
    }
    this.schedule();
  }

  /** Whether a job that is not shown belongs to the top of the list now. */
  isNew(kind, job) {
    return isByEnd(this.filter) ? ENDS.has(kind) : job.id > (this.oldest ?? 0);
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
    this.frame.showButtons();
  }

  patch(id, job) {
    const row = this.rows.get(id);
    if (!row) return;
    row.show(job);
    row.node.classList.toggle("other", !matches(job, this.filter));
    if (row.lacks) this.filling.soon();
  }

  mayInsert() {
    const selection = getSelection();
    const selected = selection && !selection.isCollapsed && selection.containsNode(this.body, true);
    return this.cursor === null && !isDeep(this.filter) && this.waiting <= MOST_AT_ONCE && !this.pointed && !selected &&
      !this.body.contains(document.activeElement) && byId("total").getBoundingClientRect().bottom > 0;
  }

  insert() {
    for (const job of this.fresh.values()) {
      const row = this.newRow(job);
      row.node.classList.add("arrived");
      this.rows.set(job.id, row);
    }
    this.fresh.clear();
    const place = isByEnd(this.filter) ? (row) => Date.parse(row.job.finished_at) : (row) => row.job.id;
    this.rows = new Map([...this.rows].sort(([, a], [, b]) => place(b) - place(a) || b.job.id - a.job.id));
    byId("no-match").hidden = byId("first-steps").hidden = true;
    if (this.isShort) this.rows = new Map([...this.rows].slice(0, this.page));
    if (this.rows.size > MOST_ROWS) { this.load(); return; }
    this.arrangeRows();
    this.filling.soon();
  }

  get waiting() { return this.fresh.size + this.catchUp.uncounted; }

  /** Insert the waiting rows, or read the newest page. */
  showNew() {
    if (this.cursor !== null) return byId("newest").click();
    if (isDeep(this.filter) || this.catchUp.mayLack || this.waiting > MOST_AT_ONCE) return this.load();
    this.insert();
    this.frame.showButtons();
  }

  pause() {
    this.paused = !this.paused;
    setAttr(byId("pause"), "aria-pressed", String(this.paused));
    this.schedule();
  }
}
