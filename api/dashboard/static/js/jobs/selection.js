// Which jobs of the list are selected: single ones, kept while rows come and go, or all that match.
import { byId, onPress, setOff, setText } from "../base/dom.js";
import { count } from "../base/words.js";

export class Selection {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    /** @type {Set<number>} */
    this.ids = new Set();
    this.all = false;
    /** @type {() => boolean} whether an action on it is under way */
    this.isBusy = () => false;
    this.page = byId("pick-page");
    if (!this.page) return; // read-only
    this.placeBox();
    // A click that holds Shift selects all from the one that was clicked before.
    table.body.addEventListener("click", (event) => {
      if (event.target.matches("input[type=checkbox]")) this.toggled(event.target, event.shiftKey);
    });
    this.page.addEventListener("change", () => this.choosePage(this.page.checked));
    onPress(byId("pick-all"), () => this.chooseAll());
    onPress(byId("pick-none"), () => this.clear());
  }

  /** Move the box for the whole page before the words about the selection, if the list has no header. */
  placeBox() {
    const label = this.page.closest("label"), head = label.parentElement, narrow = matchMedia("(max-width: 760px)");
    const place = () => (narrow.matches ? byId("selection").prepend(label) : head.append(label));
    narrow.addEventListener("change", place);
    place();
  }

  get size() { return this.all ? Infinity : this.ids.size; }

  /** @param {HTMLInputElement} box @param {boolean} isRange */
  toggled(box, isRange) {
    const shown = [...this.table.rows.keys()];
    const at = Number(box.closest("tr").dataset.id);
    const from = isRange && shown.includes(this.anchor) ? this.anchor : at;
    const [first, last] = [shown.indexOf(from), shown.indexOf(at)].sort((a, b) => a - b);
    this.leaveAll();
    for (const id of shown.slice(first, last + 1)) this.set(id, box.checked);
    this.anchor = at;
    this.show();
  }

  /** @param {number} id */
  flip(id) {
    this.leaveAll();
    this.set(id, !this.ids.has(id));
    this.anchor = id;
    this.show();
  }

  set(id, isChosen) { if (isChosen && !this.table.rows.get(id)?.isDeleted) this.ids.add(id); else this.ids.delete(id); }

  /** Forget a deleted job. @param {number} id */
  drop(id) { if (this.ids.delete(id) || this.all) this.show(); }

  choosePage(isChosen) {
    this.leaveAll();
    for (const id of this.table.rows.keys()) this.set(id, isChosen);
    this.show();
  }

  chooseAll() { this.all = true; this.ids.clear(); this.show(); }

  /** Turn "all that match" into the rows of this page: one of them is taken out. */
  leaveAll() {
    if (!this.all) return;
    this.all = false;
    for (const id of this.table.rows.keys()) this.set(id, true);
  }

  clear() { this.forget(); this.show(); }

  forget() { this.all = false; this.ids.clear(); }

  /** Bring the page in line. Called after rows have changed, too. */
  show() {
    if (!this.page) return;
    const list = JSON.stringify(this.table.filter);
    if (list !== this.list) this.forget(); // jobs that are not seen must not stay selected
    this.list = list;
    let chosen = 0, most = 0;
    for (const [id, row] of this.table.rows) {
      const isChosen = !row.isDeleted && (this.all || this.ids.has(id));
      most += Number(!row.isDeleted);
      chosen += Number(isChosen);
      row.choose(isChosen);
    }
    this.page.checked = chosen > 0 && chosen === most;
    this.page.indeterminate = chosen > 0 && chosen < most;
    const elsewhere = this.ids.size - chosen;
    setText(byId("selected"), this.all ? "All that match are selected"
      : this.ids.size ? `${count(this.ids.size)} selected${elsewhere > 0 ? `, ${count(elsewhere)} not on this page` : ""}` : "None selected");
    setOff(byId("pick-none"), !this.size);
    setOff(byId("pick-all"), this.all || !this.table.rows.size);
    for (const button of document.querySelectorAll("[data-bulk]")) setOff(button, !this.size || this.isBusy());
  }
}

/** @param {HTMLElement} body the rows @param {import("../jobs/selection.js").Selection} selection @param {import("../jobs/bulk.js").Bulk} bulk @returns {Record<string, () => void>} */
export function rowKeys(body, selection, bulk) {
  const current = () => document.activeElement?.closest("tr[data-id]");
  const idOf = (row) => (row ? Number(row.dataset.id) : undefined);
  const act = (action) => bulk.start(action, idOf(current()));

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
  if (!selection.page) return keys; // read-only
  return { ...keys, x: () => current() && selection.flip(idOf(current())), r: () => act("retry"), c: () => act("cancel") };
}
