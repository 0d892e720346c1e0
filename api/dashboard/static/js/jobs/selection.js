// Which jobs of the list are selected: single ones, kept while rows come and go, or all that match.
import { byId, onPress, setOff, setText } from "../base/dom.js";
import { count } from "../base/words.js";

export class Selection {
  /** @param {{redraw: () => void, rows: Map<number, any>, filter: any, body: HTMLElement}} table */
  constructor(table) {
    this.table = table;
    /** @type {Set<number>} */
    this.ids = new Set();
    this.all = false;
    /** @type {() => boolean} whether an action on it is under way */
    this.isBusy = () => false;
    this.page = byId("pick-page");
    if (!this.page) return; // the caller may not act
    // A click that holds Shift selects all from the one that was clicked before.
    table.body.addEventListener("click", (event) => {
      if (event.target.matches("input[type=checkbox]")) this.toggle(Number(event.target.closest("tr").dataset.id), event.target.checked, event.shiftKey);
    });
    this.page.addEventListener("change", () => { this.leaveAll(); this.set([...table.rows.keys()], this.page.checked); });
    onPress(byId("pick-all"), () => { this.all = true; this.ids.clear(); this.show(); });
    onPress(byId("pick-none"), () => this.clear());
  }

  get size() { return this.all ? Infinity : this.ids.size; }

  /** @param {number} id */
  has(id) { return this.all || this.ids.has(id); }

  /** @param {number} id @param {boolean} [isChosen] @param {boolean} [isRange] from the one that was clicked before */
  toggle(id, isChosen = !this.has(id), isRange = false) {
    const shown = [...this.table.rows.keys()], from = isRange && shown.includes(this.anchor) ? this.anchor : id;
    const [first, last] = [shown.indexOf(from), shown.indexOf(id)].sort((a, b) => a - b);
    this.leaveAll();
    this.anchor = id;
    this.set(shown.slice(first, last + 1), isChosen);
  }

  /** @param {number[]} ids @param {boolean} isChosen */
  set(ids, isChosen) {
    for (const id of ids) if (isChosen && !this.table.rows.get(id)?.isDeleted) this.ids.add(id); else this.ids.delete(id);
    this.show();
  }

  /** Forget a deleted job. @param {number} id */
  drop(id) { if (this.ids.delete(id) || this.all) this.show(); }

  /** Turn "all that match" into the rows of this page: one of them is taken out. */
  leaveAll() {
    if (!this.all) return;
    this.all = false;
    this.ids = new Set(this.table.rows.keys());
  }

  clear() {
    const bar = byId("selection");
    if (bar?.contains(document.activeElement)) byId("jobs-title").focus({ preventScroll: true }); // the bar goes
    this.all = false;
    this.ids.clear();
    this.show();
  }

  /** Bring the page in line. */
  show() {
    if (!this.page) return;
    this.table.redraw();
    this.showBar();
  }

  /** The bar is there only while jobs are selected. Called after rows have changed, too. */
  showBar() {
    if (!this.page) return;
    const list = JSON.stringify(this.table.filter);
    if (list !== this.list && this.size) { this.list = list; return this.clear(); } // jobs that are not seen must not stay selected
    this.list = list;
    const shown = [...this.table.rows.values()].filter(({ isDeleted }) => !isDeleted), chosen = shown.filter(({ job }) => this.has(job.id)).length;
    this.page.checked = chosen > 0 && chosen === shown.length;
    this.page.indeterminate = chosen > 0 && chosen < shown.length;
    const elsewhere = this.ids.size - chosen;
    setText(byId("selected"), this.all ? "All matching jobs selected"
      : this.ids.size ? `${count(this.ids.size)} selected${elsewhere > 0 ? `, ${count(elsewhere)} not on this page` : ""}` : "None selected");
    byId("selection").classList.toggle("on", this.size > 0);
    setOff(byId("pick-all"), this.all);
    for (const button of document.querySelectorAll("[data-bulk]")) setOff(button, this.isBusy());
  }
}

/** @param {HTMLElement} body the rows @param {Selection} selection @param {import("./bulk.js").Bulk} bulk @returns {Record<string, () => void>} */
export function rowKeys(body, selection, bulk) {
  const current = () => document.activeElement?.closest("tr[data-id]");
  const idOf = (row) => (row ? Number(row.dataset.id) : undefined);

  /** Go to the next row, or to the next one that matches. */
  function go(by, selector = "tr[data-id]") {
    const rows = [...body.querySelectorAll("tr[data-id]")];
    const at = current() ? rows.indexOf(current()) : by > 0 ? -1 : rows.length;
    const ahead = by > 0 ? rows.slice(at + 1) : rows.slice(0, Math.max(0, at)).reverse();
    const next = ahead.find((row) => row.matches(selector));
    setText(byId("told"), next ? "" : selector.includes("failed") ? `No failed job ${by > 0 ? "further down" : "further up"} on this page.` : "");
    next?.querySelector(".id a").focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  const keys = { j: () => go(1), k: () => go(-1), f: () => go(1, "[data-status=failed]"), F: () => go(-1, "[data-status=failed]") };
  if (!selection.page) return keys; // the caller may not act
  return { ...keys, x: () => current() && selection.toggle(idOf(current())), r: () => bulk.start("retry", idOf(current())), c: () => bulk.start("cancel", idOf(current())) };
}
