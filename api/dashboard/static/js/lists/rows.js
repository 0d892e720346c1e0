// The rows of a table, one for each item, kept in place while their items change.
//
// Rows never move under a reader. While somebody points at the table, selects or focuses something
// in it, known rows change in place, new ones come last, and rows whose item is gone are only
// marked. Afterwards the rows are put in order.
import { arrange, byId, h, selectedIn, showOrHide } from "../base/dom.js";
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
 * @typedef {object} Row
 * @property {Node[]} nodes
 * @property {(item: any) => void} show
 * @property {() => void} [tick] called every second
 */

export class Rows {
  /**
   * @param {HTMLElement} body @param {(item: any) => string} keyOf @param {(item: any) => Row} make
   * @param {(item: any) => string} textOf what a search looks at
   */
  constructor(body, keyOf, make, textOf) {
    Object.assign(this, { body, keyOf, make, textOf });
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {any[]} */
    this.items = [];
    /** @type {any[]} the items that a search finds */
    this.found = [];
    this.wanted = "";
    this.attention = new Attention(body, () => this.arrange());
    everySecond(() => this.rows.forEach((row) => row.tick?.()));
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
      const key = this.keyOf(item);
      let row = this.rows.get(key);
      if (!row) this.rows.set(key, (row = this.make(item)));
      row.show(item);
    }
    this.arrange(isAsked);
    if (first) this.goToTarget();
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
    const keys = new Set(this.items.map(this.keyOf));
    for (const [key, row] of this.rows) {
      if (mayMove && !keys.has(key)) this.rows.delete(key);
      for (const node of row.nodes) /** @type {HTMLElement} */ (node).classList.toggle("gone", !keys.has(key));
    }
    if (mayMove) this.rows = new Map([...keys].map((key) => [key, this.rows.get(key)]));
    arrange(this.body, [...this.rows.values()].flatMap(({ nodes }) => nodes));
    this.found = this.items.filter((item) => {
      const isFound = this.textOf(item).toLowerCase().includes(this.wanted);
      this.rows.get(this.keyOf(item)).nodes.forEach((node) => node.classList.toggle("unmatched", !isFound));
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

/** Create a cell. `label` stands before it where the table is shown as cards. @param {string} name @param {string} label @param {...any} children */
export const cell = (name, label, ...children) => h("td", { role: "cell", class: name, "data-label": label }, ...children);

/** A long name that may break after `_`, `.` and `-`, and before a capital. @param {string} name @returns {Node[]} */
export const wrappable = (name) => name.split(/(?<=[_.-])|(?<=[a-z])(?=[A-Z])/).flatMap((part, i) => [i ? h("wbr") : "", document.createTextNode(part)]).filter((part) => part !== "");

/** Create a button that opens a confirmation. A read-only page does not show it. @param {string} text @param {string} label @param {() => void} act */
export const action = (text, label, act) => h("button", { type: "button", class: "act", "data-changes": true, "aria-label": label, onclick: act }, text);
