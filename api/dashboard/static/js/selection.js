// Which jobs of the list are selected: single ones, kept while rows come and go, or all that match.
import { byId, setText } from "./dom.js";
import { count } from "./words.js";

export class Selection {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    /** @type {Set<number>} */
    this.ids = new Set();
    this.all = false;
    this.page = byId("pick-page");
    if (!this.page) return; // read-only
    // A click that holds Shift selects all from the one that was clicked before.
    table.body.addEventListener("click", (event) => {
      if (event.target.matches("input[type=checkbox]")) this.toggled(event.target, event.shiftKey);
    });
    this.page.addEventListener("change", () => this.choosePage(this.page.checked));
    byId("pick-all").addEventListener("click", () => this.chooseAll());
    byId("pick-none").addEventListener("click", () => this.clear());
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

  set(id, isChosen) { if (isChosen) this.ids.add(id); else this.ids.delete(id); }

  choosePage(isChosen) {
    this.leaveAll();
    for (const id of this.table.rows.keys()) this.set(id, isChosen);
    this.show();
  }

  chooseAll() { this.all = true; this.ids.clear(); this.show(); }

  /** One that is taken out of "all that match" leaves the page selected without it. */
  leaveAll() {
    if (!this.all) return;
    this.all = false;
    this.ids = new Set(this.table.rows.keys());
  }

  clear() { this.all = false; this.ids.clear(); this.show(); }

  /** Bring the page in line. Called after rows have changed, too. */
  show() {
    if (!this.page) return;
    let chosen = 0;
    for (const [id, row] of this.table.rows) {
      const isChosen = this.all || this.ids.has(id);
      chosen += Number(isChosen);
      row.choose(isChosen);
    }
    this.page.checked = chosen > 0 && chosen === this.table.rows.size;
    this.page.indeterminate = chosen > 0 && chosen < this.table.rows.size;
    const elsewhere = this.ids.size - chosen;
    setText(byId("selected"), this.all ? "All that match are selected"
      : this.ids.size ? `${count(this.ids.size)} selected${elsewhere > 0 ? `, ${count(elsewhere)} not on this page` : ""}` : "None selected");
    byId("pick-none").disabled = !this.size;
    byId("pick-all").disabled = this.all || !this.table.rows.size;
    for (const button of document.querySelectorAll("[data-bulk]")) /** @type {HTMLButtonElement} */ (button).disabled = !this.size || this.isBusy;
  }
}
