// The live table of jobs: a page of GET /jobs, read again when the stream says that something has changed.
//
// Rows never move under a reader. While somebody points at, selects or focuses anything in the table, or is far down
// in it, known rows change in place and new ones wait behind the button "N new". So do many new ones at once.
import { arrange, byId, hide, onPress, selectedIn, setAttr, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw } from "../base/lit.js";
import { everySecond } from "../base/time.js";
import { count, plural } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";
import { address, isByEnd, isDeep, withTimes } from "../lists/filter.js";
import { hints } from "../lists/query.js";
import { Attention } from "../lists/rows.js";
import { farthest, readWhole } from "../lists/whole-page.js";
import { jobCells } from "./job-row.js";

const MOST_AT_ONCE = 25;
const MOST_READ = 500;

/** @typedef {{job: any, node: HTMLElement, isDeleted: boolean}} Row */

export class JobsTable {
  /**
   * @param {{path: string, size?: number, isShort?: boolean, isSelectable?: boolean, isChosen?: (id: number) => boolean, shown?: () => void, gone?: (id: number) => void, told?: (error: any) => void}} how
   * `isShort`: only the newest jobs are shown, and no other page. `shown` is called after rows have changed, `gone` when
   * a job was deleted, `told` with the error of a read, or null.
   */
  constructor({ path, size = 50, isShort = false, isSelectable = false, isChosen = () => false, shown = () => {}, gone = () => {}, told = () => {} }) {
    Object.assign(this, { path, size, isShort, isSelectable, isChosen, shown, gone });
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    /** The filter and the cursor that are shown. */
    this.filter = {};
    this.cursor = null;
    this.wanted = { filter: this.filter, cursor: this.cursor };
    /** The page that was read last. @type {any} */
    this.page = null;
    /** How many jobs of it wait behind the button. */
    this.fresh = 0;
    this.paused = this.isOld = false;
    this.body = byId("rows");
    this.attention = new Attention(this.body, () => this.fresh && this.mayMove() && this.show(), byId("total"));
    this.refresh = new Refresh((signal) => this.read(signal), { told });
    everySecond(() => this.paused || this.redraw());
    onPress(byId("new"), () => { if (this.fresh > this.size || this.isOld) this.load(this.filter, this.cursor); else this.show(); });
    byId("pause").addEventListener("click", () => {
      this.paused = !this.paused;
      if (!this.paused && this.isOld) this.refresh.now();
      this.showButtons();
    });
  }

  /** Show the jobs of a filter, from a cursor on. @param {Record<string, string>} [filter] @param {string | null} [cursor] */
  load(filter = {}, cursor = null) {
    this.wanted = { filter, cursor };
    this.isAsked = true;
    this.isRefused = false;
    setAttr(this.body, "aria-busy", "true");
    this.refresh.now();
  }

  /** Read nothing, and show no job: the filter is refused. */
  refuse() {
    this.refresh.stop();
    this.isRefused = true;
    this.rows.clear();
    this.page = null;
    this.fresh = 0;
    setAttr(this.body, "aria-busy", null);
    arrange(this.body, []);
    setText(byId("total"), "");
    for (const id of ["newest", "older", "no-match", "first-steps"]) hide(byId(id), true, byId("jobs-title"));
    this.showButtons();
    this.shown();
  }

  /** Note what happened: a known row changes at once, all else with the next read. @param {any[]} events */
  take(events) {
    if (this.isRefused) return;
    if (this.paused) { this.isOld ||= events.length > 0; return; }
    const changed = new Set();
    for (const { kind, job } of events) {
      if (kind === "job.deleted") this.gone(job.id);
      const row = job && this.rows.get(job.id);
      if (!row) continue;
      if (kind === "job.deleted") row.isDeleted = true;
      else row.job = merged(row.job, job);
      changed.add(row);
    }
    changed.forEach((row) => this.draw(row));
    if (!events.some(({ kind }) => kind.startsWith("job.") || kind.startsWith("type."))) return;
    if (!isDeep(this.wanted.filter)) this.refresh.soon(); // a search costs too much to repeat it
    else { this.isOld = true; this.showButtons(); }
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    const { filter, cursor } = this.wanted;
    const limit = this.isAsked ? this.size : Math.min(MOST_READ, this.size + this.fresh);
    const read = (at) => request(address("/jobs", withTimes(filter), { limit, cursor: at, preview: true, by_status: this.isShort || at !== cursor ? null : true }), { signal });
    let page;
    try {
      page = await readWhole(read, cursor, { most: limit, noun: "jobs", isWanted: () => !signal.aborted, tell: (text) => setText(byId("total"), text) });
    } catch (error) {
      if (error.errors?.length) this.refuse();
      throw error;
    } finally { if (!signal.aborted) setAttr(this.body, "aria-busy", null); }
    if (signal.aborted) return;
    const isAsked = this.isAsked || !this.page;
    Object.assign(this, { filter, cursor, page, isAsked: false, isOld: false });
    this.held = new Set(page.quarantined);
    this.fresh = isAsked ? 0 : page.items.filter(({ id }) => !this.rows.has(id)).length;
    if (this.fresh === limit && limit < MOST_READ) this.refresh.soon(); // there may be more
    if (isAsked || this.mayMove()) this.show(!isAsked);
    else { this.update(); this.shown(); }
    const { total: { value, relation }, searched, items } = page;
    const match = Object.keys(filter).length ? (value === 1 ? " matches" : " match") : "";
    setText(byId("total"), searched ? `found ${count(items.length)}; ${farthest(page, "jobs")}` : `${relation === "gte" ? "at least " : ""}${plural(value, "job")}${match}`);
  }

  /** Whether rows may come, go and move now. */
  mayMove() { return !this.attention.isOn && (this.isShort || this.fresh <= MOST_AT_ONCE); }

  /** Show the page that was read last. @param {boolean} [isLater] the same list was shown before: mark what is new in it */
  show(isLater = true) {
    const { items } = this.page, before = this.rows;
    this.rows = new Map(items.slice(0, this.isShort ? this.size : MOST_READ).map((job) => [job.id, before.get(job.id) ?? newRow(job)]));
    this.fresh = 0;
    this.update();
    for (const [id, { node }] of this.rows) node.classList.toggle("arrived", isLater && !before.has(id));
    arrange(this.body, [...this.rows.values()].map(({ node }) => node));
    if (!this.isShort) this.showPages();
    const isFiltered = Object.keys(this.filter).length > 0 || this.cursor !== null;
    const words = this.page.searched ? "Nothing found so far." : this.cursor ? "There are no more jobs." : "No jobs match the filter.";
    hide(byId("no-match"), items.length > 0 || !isFiltered, byId("query") ?? byId("jobs-title"));
    if (isFiltered) setText(byId("no-match-words"), [words, ...hints(this.filter)].join(" "));
    byId("first-steps").hidden = items.length > 0 || isFiltered;
    this.shown();
  }

  /** Show in place how the known jobs are now; those that the page no longer has are only marked. */
  update() {
    const jobs = new Map(this.page.items.map((job) => [job.id, job])), last = this.page.items.at(-1)?.id ?? Infinity;
    for (const [id, row] of this.rows) {
      if (jobs.has(id)) row.job = merged(row.job, jobs.get(id));
      row.node.classList.toggle("other", row.isDeleted || (!jobs.has(id) && (this.page.next_cursor === null || id > last)));
    }
    this.redraw();
    this.showButtons();
  }

  redraw() { this.rows.forEach((row) => this.draw(row)); }

  /** Draw a row, but not while text in it is selected. @param {Row} row */
  draw({ job, node, isDeleted }) {
    if (selectedIn(node)) return;
    const isChosen = !isDeleted && this.isChosen(job.id);
    setAttr(node, "data-status", job.status);
    node.classList.toggle("chosen", isChosen);
    if (isDeleted) node.classList.add("other");
    draw(jobCells(job, { isChosen, isDeleted, isSelectable: this.isSelectable, isHeld: this.held.has(job.type), isByEnd: isByEnd(this.filter) }), node);
  }

  showPages() {
    const { filter, path, cursor, page: { next_cursor: next, searched } } = this, older = byId("older"), newest = byId("newest");
    hide(newest, cursor === null, byId("jobs-title"));
    hide(older, next === null, newest.hidden ? byId("jobs-title") : newest);
    setText(older, searched ? "look further →" : isByEnd(filter) ? "ended earlier →" : "older →");
    older.href = address(path, filter, { cursor: next });
    newest.href = address(path, filter);
    setText(byId("when"), isByEnd(filter) ? "ended" : "submitted");
  }

  showButtons() {
    const isSearch = this.isOld && isDeep(this.filter) && !this.paused, { fresh } = this;
    setAttr(byId("new"), "aria-disabled", fresh || isSearch ? null : "true");
    setText(byId("new"), isSearch ? "search again" : `${count(fresh)}${fresh >= MOST_READ ? "+" : ""} new`);
    setText(byId("pause"), this.paused ? "resume" : "pause");
    setAttr(byId("pause"), "aria-pressed", String(this.paused));
  }
}

/** A job as it is now; what an event does not carry, such as the payload, stays as it was read. @param {any} before @param {any} job */
const merged = (before, job) => ({ ...before, ran_until: null, ...job });

/** @param {any} job @returns {Row} */
function newRow(job) {
  const node = document.createElement("tr");
  setAttr(node, "role", "row");
  setAttr(node, "data-id", job.id);
  return { job, node, isDeleted: false };
}
