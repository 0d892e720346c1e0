// What stands around the list of jobs: how many there are, what waits to be shown, and the other pages.
import { byId, hide, setOff, setText } from "../base/dom.js";
import { address, isByEnd, isDeep } from "../lists/filter.js";
import { noFields } from "../lists/field-words.js";
import { farthest } from "../lists/whole-page.js";
import { count, plural } from "../base/words.js";

/** The most new jobs that are counted. */
export const MOST_FRESH = 1000;

/** "no job …" -> "No job ….", unless it is a question. @param {string} text */
const sentence = (text) => text.replace(/^./, (first) => first.toUpperCase()).replace(/(?<!\?)$/, ".");

const upToMost = (n) => (n < MOST_FRESH ? count(n) : `${count(MOST_FRESH)}+`);

export class ListFrame {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    /** Called with the total of each page that was read. @type {(total: {value: number, relation: string}) => void} */
    this.counted = () => {};
  }

  /** Whether a page was read. */
  get isRead() { return Boolean(this.total); }

  /** Show what belongs to a page that was read. @param {any} page */
  show(page) {
    const { filter, cursor, rows, isShort } = this.table;
    this.total = page.total;
    this.searched = page.searched ? `found ${count(page.items.length)}; ${farthest(page, "jobs")}` : "";
    this.showTotal();
    this.counted(page.total);
    if (!isShort) this.showPages(page.next_cursor);
    const filtered = Object.keys(filter).length > 0 || cursor !== null;
    hide(byId("no-match"), rows.size > 0 || !filtered, byId("query") ?? byId("jobs-title"));
    const nothing = this.searched ? "Nothing found so far." : cursor ? "There are no more jobs." : "No jobs match the filter.";
    if (filtered) setText(byId("no-match-words"), [nothing, ...page.unknown.map(sentence), ...noFields(filter)].join(" "));
    byId("first-steps").hidden = rows.size > 0 || filtered;
    this.showButtons();
  }

  /** Show that there is no page, as the filter is refused. */
  showNone() {
    this.total = undefined;
    this.searched = "";
    setText(byId("total"), "");
    this.showPages(null);
    byId("no-match").hidden = byId("first-steps").hidden = true;
    this.showButtons();
  }

  showPages(next) {
    const older = byId("older"), newest = byId("newest");
    hide(newest, this.table.cursor === null, byId("jobs-title"));
    hide(older, next === null, newest.hidden ? byId("jobs-title") : newest);
    setText(older, this.searched ? "look further →" : isByEnd(this.table.filter) ? "ended earlier →" : "older →");
    older.href = address(this.table.path, this.table.filter, { cursor: next });
    newest.href = address(this.table.path, this.table.filter);
    setText(byId("when"), isByEnd(this.table.filter) ? "ended" : "submitted");
  }

  showTotal() {
    if (!this.isRead) return;
    const { value, relation } = this.total;
    if (this.searched) return setText(byId("total"), this.searched);
    const match = Object.keys(this.table.filter).length ? (value === 1 ? " matches" : " match") : "";
    setText(byId("total"), `${relation === "gte" ? "at least " : ""}${plural(value, "job")}${match}`);
  }

  /** Take the total of another read of the same page, unless a search counted. @param {any} page */
  learnTotal(page) {
    if (page.searched || this.searched) return;
    this.total = page.total;
    this.showTotal();
    this.counted(page.total);
  }

  /** Take how many jobs match, from a count that is always kept. @param {number | undefined} value undefined: there is no such count */
  takeCount(value) {
    if (value === undefined || !this.isRead || this.table.reader.reading) return; // while it reads, it says how far it is
    this.total = { value, relation: "eq" };
    this.showTotal();
  }

  showButtons() {
    const n = this.table.waiting, isLeast = n && n < MOST_FRESH && this.table.catchUp.mayLack;
    const button = byId("new");
    setOff(button, n === 0);
    setText(button, `${upToMost(n)}${isLeast ? "+" : ""} ${n && isDeep(this.table.filter) ? "newer, search again" : "new"}`);
    const pause = byId("pause");
    setText(pause, this.table.paused ? `resume${this.table.changed.size ? ` (${count(this.table.changed.size)} changed)` : ""}` : "pause");
  }
}
