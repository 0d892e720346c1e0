// Where the reader of the list is: how far down, in which row with the keyboard, and what is selected. The entry of the
// history has it, so that Back and a reload lead there again.
import { isByEnd } from "../lists/filter.js";

const SOON_MS = 150;

/** @typedef {{y: number, row?: number, chosen?: {all: boolean, ids: number[]}}} At */

export class Place {
  /** @param {import("./jobs-table.js").JobsTable} table @param {import("./selection.js").Selection} selection */
  constructor(table, selection) {
    Object.assign(this, { table, selection });
    /** Where to go once the list is there. @type {At | null} */
    this.wanted = history.state;
    history.scrollRestoration = "manual";
    // Noted not only when the page is left, as a reload would lose that, and with a held key not more often than browsers allow.
    for (const kind of ["scrollend", "click", "pagehide"]) addEventListener(kind, () => this.keep());
    addEventListener("keyup", () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.keep(), SOON_MS); });
  }

  /** Note where the reader is, unless the page still has to go to an earlier position. */
  keep() {
    if (this.wanted) return;
    const held = document.activeElement, isByKey = held?.matches(":focus-visible"); // a click does not hold the list
    const row = isByKey && this.table.body.contains(held) ? Number(held.closest("tr").dataset.id) : undefined;
    const { all, ids } = this.selection;
    history.replaceState({ y: scrollY, row, chosen: { all, ids: [...ids] } }, "");
  }

  /** Go to where the reader was, now that the list is there. */
  takeUp() {
    const { wanted } = this;
    this.wanted = null;
    if (!wanted) return;
    if (wanted.chosen) this.selection.choose(wanted.chosen);
    if (wanted.row && document.activeElement === document.body) this.rowOf(wanted.row)?.node.querySelector(".id a").focus({ preventScroll: true });
    scrollTo(0, wanted.y);
  }

  /** The row of the job, or the one that took its place. @param {number} id */
  rowOf(id) {
    const { rows, filter } = this.table;
    return rows.get(id) ?? (isByEnd(filter) ? undefined : [...rows.values()].find(({ job }) => job.id < id));
  }
}
