// The rows of a table, one for each item, kept in place while their items change.
//
// Rows never move under a reader. While somebody points at the table, selects or focuses something
// in it, known rows change in place, new ones come last, and rows whose item is gone are only
// marked. Afterwards the rows are put in order.
import { arrange, byId, h, selectedIn, setAttr, showOrHide } from "../base/dom.js";
import { draw, nothing } from "../base/lit.js";
import { everySecond } from "../base/time.js";

export class Attention {
  /**
   * @param {HTMLElement} body the rows @param {() => void} [left] called when somebody may have stopped looking
   * @param {HTMLElement} [top] who has scrolled far below it is far down
   */
  constructor(body, left = () => {}, top) {
    this.body = body;
    const table = body.closest("table");
    table.addEventListener("pointerenter", (event) => { this.pointed = event.pointerType === "mouse"; });
    table.addEventListener("pointerleave", () => { this.pointed = false; left(); });
    table.addEventListener("focusout", () => setTimeout(left)); // when the focus is where it goes
    document.addEventListener("visibilitychange", left);
    // Asking for a position would force a layout; the observer is told after the page was laid out.
    if (top) new IntersectionObserver((entries) => { this.isFarDown = !entries[entries.length - 1].isIntersecting; }, { rootMargin: "0px 0px 999999px" }).observe(top);
  }

  get isOn() { return this.pointed || this.isFarDown || selectedIn(this.body) || this.body.contains(document.activeElement); }
}

const TYPING_MS = 350;

/**
 * @typedef {object} RowKind how the items of a table are drawn
 * @property {(item: any) => string} key
 * @property {(item: any) => any} cells the template of its cells
 * @property {(item: any) => any} [fold] the template of a second row below it, or nothing
 * @property {(item: any) => Record<string, any>} [attributes] of the row
 * @property {(item: any) => string} text what a search looks at
 * @property {boolean} [ticks] it is drawn again each second, as it shows ages
 */

/** @typedef {{item: any, nodes: HTMLElement[]}} Row */

export class Rows {
  /** @param {HTMLElement} body @param {RowKind} kind */
  constructor(body, kind) {
    Object.assign(this, { body, kind });
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {any[]} */
    this.items = [];
    /** @type {any[]} the items that a search finds */
    this.found = [];
    this.wanted = "";
    this.attention = new Attention(body, () => this.arrange());
    if (kind.ticks) everySecond(() => this.redraw());
    const field = byId("search");
    if (field) this.followSearch(field);
  }

  /** Let the rows be searched. The address has the text (`?q=`), so that links, reload and "back" work. @param {any} field */
  followSearch(field) {
    const asked = () => new URLSearchParams(location.search).get("q") ?? "";
    const keep = () => {
      const url = new URL(location.href), text = field.value.trim();
      if (text) url.searchParams.set("q", text);
      else url.searchParams.delete("q");
      if (text !== asked()) history.replaceState(history.state, "", url);
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let typing;
    field.value ||= asked(); // a text may have been typed before this listened
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(keep, TYPING_MS);
      this.search(field.value);
    });
    addEventListener("popstate", () => {
      if (field.value.trim() === asked()) return;
      field.value = asked();
      field.dispatchEvent(new Event("input"));
    });
    this.wanted = field.value.trim().toLowerCase();
  }

  /** Show these items. @param {any[]} items @param {boolean} [isAsked] the reader has asked for this order: rows move even while they are read */
  show(items, isAsked = false) {
    const first = !this.shown;
    this.items = items;
    this.shown = true;
    for (const item of items) {
      const key = this.kind.key(item);
      const row = this.rows.get(key) ?? { item, nodes: [h("tr", { role: "row" })] };
      this.rows.set(key, row);
      row.item = item;
      this.drawRow(row);
    }
    this.arrange(isAsked);
    if (first) this.goToTarget();
  }

  /** Draw all rows again, with the items that they have. Nothing known grows old on a page that is disconnected. */
  redraw() {
    if (!document.documentElement.classList.contains("lost")) this.rows.forEach((row) => this.drawRow(row));
  }

  /** @param {Row} row */
  drawRow({ item, nodes }) {
    const { cells, fold, attributes } = this.kind;
    for (const [name, value] of Object.entries(attributes?.(item) ?? {})) setAttr(nodes[0], name, value);
    draw(cells(item), nodes[0]);
    const below = fold?.(item);
    if (below) nodes[1] ??= h("tr", { role: "row", class: "fold-row" });
    if (nodes[1]) draw(below ?? nothing, nodes[1]);
    if (nodes[1]) nodes[1].hidden = !below;
  }

  /** Show only rows that contain the text. @param {string} text */
  search(text) {
    this.wanted = text.trim().toLowerCase();
    this.arrange();
  }

  /** @param {boolean} [isAsked] rows move even while they are read */
  arrange(isAsked = false) {
    if (!this.shown) return; // that nothing is there is known only once it was read
    const mayMove = isAsked || !this.attention.isOn;
    const keys = new Set(this.items.map(this.kind.key));
    for (const [key, row] of this.rows) {
      if (mayMove && !keys.has(key)) this.rows.delete(key);
      for (const node of row.nodes) /** @type {HTMLElement} */ (node).classList.toggle("gone", !keys.has(key));
    }
    if (mayMove) this.rows = new Map([...keys].map((key) => [key, this.rows.get(key)]));
    arrange(this.body, [...this.rows.values()].flatMap(({ nodes }) => nodes));
    this.found = this.items.filter((item) => {
      const isFound = this.kind.text(item).toLowerCase().includes(this.wanted);
      this.rows.get(this.kind.key(item)).nodes.forEach((node) => node.classList.toggle("unmatched", !isFound));
      return isFound;
    });
    byId("none").hidden = this.items.length > 0;
    showOrHide(byId("no-match"), this.items.length && !this.found.length ? "Nothing here contains this text." : "");
  }

  /** Go to the row that the address names. */
  goToTarget() {
    const target = byId(location.hash.slice(1)); // names need no quoting
    if (!target || !this.body.contains(target)) return;
    target.classList.add("target");
    target.scrollIntoView({ block: "center" });
  }
}
