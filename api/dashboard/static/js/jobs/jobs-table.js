// The live table of jobs: a page of GET /jobs, kept up to date by events.
//
// The table never moves under a reader. Rows are updated in place. New rows are inserted only while
// nobody points at, selects or focuses anything in the table, and only if few come at a time;
// otherwise they wait behind the button "N new". While paused or hidden, the table only counts.
import { Attention } from "../lists/attention.js";
import { CatchUp } from "./catch-up.js";
import { arrange, byId, onPress, setAttr } from "../base/dom.js";
import { Filling, MOST_ROWS } from "./filling.js";
import { isByEnd, isDeep, matches } from "../lists/filter.js";
import { JobRow } from "./job-row.js";
import { ListFrame, MOST_FRESH } from "./list-frame.js";
import { isBefore, isNewer } from "./newer.js";
import { PageReader } from "./page-reader.js";
import { Painting } from "./painting.js";
import { everySecond } from "../base/time.js";

const MOST_AT_ONCE = 25;

export class JobsTable {
  /**
   * @param {{path: string, page?: number, isShort?: boolean, isSelectable?: boolean, shown?: () => void, gone?: (id: number) => void, loaded?: () => void, told?: (error: any) => void}} how
   * `isShort`: only the newest of a page are shown, and no others. `shown` is called after rows have changed, `gone` when a job
   * was deleted, `loaded` after a page was read, and `told` with the error when no page could be read, and with null once one can again.
   */
  constructor({ path, page = 50, isShort = false, isSelectable = false, shown = () => {}, gone = () => {}, loaded = () => {}, told = () => {} }) {
    Object.assign(this, { path, page, isShort, isSelectable, shown, gone, loaded, told });
    /** @type {Map<number, JobRow>} */
    this.rows = new Map();
    /** @type {Map<number, any>} */
    this.fresh = new Map();
    /** @type {Map<number, any>} */
    this.changed = new Map();
    this.catchUp = new CatchUp(this);
    this.filling = new Filling(this);
    this.painting = new Painting();
    this.frame = new ListFrame(this);
    this.forgetPage();
    this.reader = new PageReader(this);
    this.paused = false;
    this.body = byId("rows");
    this.attention = new Attention(this.body, () => this.schedule(), byId("total"));
    everySecond(() => {
      for (const row of this.rows.values()) if (row.isOld) this.painting.add(row);
      if (this.isPageOld || this.filling.isDue) this.schedule();
    });
    onPress(byId("new"), () => this.showNew());
    byId("pause").addEventListener("click", () => this.pause());
  }

  /** Read the page again. @param {Record<string, string>} [filter] @param {string | null} [cursor] */
  load(filter, cursor) { return this.reader.read(filter, cursor); }

  /** Forget the page: none was read yet, or the filter is refused. Then no job counts as new. */
  forgetPage() {
    /** The filter and the cursor of the rows. */
    this.filter = {};
    this.cursor = null;
    this.oldest = Infinity;
  }

  /** Show no job, as the filter is refused. */
  showNone() {
    this.forgetPage();
    for (const one of [this.rows, this.fresh, this.changed]) one.clear();
    this.catchUp.begin();
    this.arrangeRows();
    this.frame.showNone();
  }

  show(page) {
    const { items, next_cursor: next } = page;
    this.filling.hold(page.quarantined);
    const rows = new Map();
    for (const job of items) {
      const row = this.rows.get(job.id) ?? this.newRow(job);
      row.show(job);
      row.node.classList.remove("other", "arrived");
      rows.set(job.id, row);
    }
    this.rows = rows;
    this.oldest = next === null ? 0 : items.length ? items[items.length - 1].id : Infinity;
    this.fresh.clear();
    this.changed.clear();
    this.catchUp.begin();
    this.arrangeRows();
    this.frame.show(page);
  }

  newRow(job) { return new JobRow(job, { isSelectable: this.isSelectable, isByEnd: () => isByEnd(this.filter), isHeld: (type) => this.filling.held.has(type), repaint: (row) => this.painting.add(row) }); }

  arrangeRows() {
    arrange(this.body, [...this.rows.values()].map(({ node }) => node));
    this.shown();
  }

  /** @param {any[]} events */
  take(events) {
    if (this.reader.reading) this.reader.meanwhile.push(...events);
    for (const { kind, job } of events) {
      if (kind.startsWith("type.")) this.filling.soon(); // which are quarantined
      if (!kind.startsWith("job.")) continue;
      this.catchUp.told(job.id);
      this.filling.tell(kind, job);
      if (kind === "job.deleted") this.deleted(job.id);
      else if (this.rows.has(job.id)) this.changed.set(job.id, job);
      else if (this.fresh.has(job.id)) this.renew(job);
      else if (this.fresh.size < MOST_FRESH && isNewer(kind, job, this.filter, this.oldest) && matches(job, this.filter)) {
        this.fresh.set(job.id, job);
        if (kind !== "job.enqueued") this.catchUp.knows();
      }
    }
    this.schedule();
  }

  /** Take a newer state of a job that waits to be shown. */
  renew(job) {
    if (matches(job, this.filter)) this.fresh.set(job.id, job);
    else this.fresh.delete(job.id);
  }

  deleted(id) {
    this.fresh.delete(id);
    this.changed.delete(id);
    this.rows.get(id)?.markDeleted();
    this.filling.soon(); // the total
    this.gone(id);
  }

  schedule() {
    if (this.scheduled || this.reader.reading) return;
    this.scheduled = true;
    const flush = () => { this.scheduled = false; this.flush(); };
    if (document.hidden) setTimeout(flush, 1000); // a hidden tab has no animation frames
    else requestAnimationFrame(flush);
  }

  flush() {
    if (this.reader.reading) return;
    if (!this.paused && !document.hidden) {
      for (const [id, job] of this.changed) this.patch(id, job);
      this.changed.clear();
      if (this.isPageOld) { if (this.mayInsert()) return this.load(); this.filling.look(); }
      if (this.fresh.size && this.waiting <= MOST_AT_ONCE && this.mayInsert()) this.insert();
      if (this.filling.isDue) this.filling.soon();
      this.catchUp.read();
    }
    this.frame.showButtons();
  }

  patch(id, job) {
    const row = this.rows.get(id);
    if (!row || row.isDeleted) return;
    row.show(job);
    const { classList } = row.node, was = classList.contains("other");
    if (classList.toggle("other", !matches(job, this.filter)) !== was || row.lacks) this.filling.soon(); // the total, or the row
  }

  /** Whether to read the page again: it lacks jobs of which no event told, or too many to insert. A short table always follows. */
  get isPageOld() {
    if (this.reader.failures || !this.catchUp.isDue) return false;
    return this.catchUp.mayLack || (this.waiting > MOST_AT_ONCE ? this.isShort : this.catchUp.missing > 0);
  }

  /** Whether rows may be inserted at the top now. */
  mayInsert() { return this.cursor === null && !isDeep(this.filter) && !this.attention.isOn; }

  insert() {
    if (!this.isShort && this.rows.size + this.fresh.size > MOST_ROWS) { if (!this.reader.failures) this.load(); return; }
    const rows = [...this.rows.values()];
    for (const job of this.fresh.values()) {
      const row = this.newRow(job);
      row.node.classList.add("arrived");
      rows.splice(rows.findLastIndex((other) => isBefore(other.job, job, this.filter)) + 1, 0, row);
    }
    this.fresh.clear();
    const shown = rows.slice(0, this.isShort ? this.page : MOST_ROWS);
    if (shown.length < rows.length) this.oldest = shown[shown.length - 1].job.id;
    this.rows = new Map(shown.map((row) => [row.job.id, row]));
    byId("no-match").hidden = byId("first-steps").hidden = true;
    this.arrangeRows();
    this.filling.soon();
  }

  get waiting() { return this.fresh.size + this.catchUp.missing; }

  /** Insert the waiting rows, or read the newest page. */
  showNew() {
    if (this.cursor !== null) return byId("newest").click();
    if (isDeep(this.filter) || this.catchUp.mayLack || this.catchUp.missing || this.waiting > MOST_AT_ONCE) return this.load();
    this.insert();
    this.frame.showButtons();
  }

  pause() {
    this.paused = !this.paused;
    setAttr(byId("pause"), "aria-pressed", String(this.paused));
    this.schedule();
  }
}
