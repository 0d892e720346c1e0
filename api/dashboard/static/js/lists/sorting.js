// The order of a list, chosen with buttons in its headers. The address has it, so that links, reload and "back" work:
// `?sort=run`, or `?sort=-run` for the reverse.
import { setAttr } from "../base/dom.js";

const OTHER = { ascending: "descending", descending: "ascending" };

/**
 * @typedef {object} Order
 * @property {string} words what it sorts by
 * @property {"ascending" | "descending"} first the direction after the first click
 * @property {(item: any) => string | number | null} of the value to sort by; items without one come last
 */

export class Sorting {
  /** @param {HTMLElement} table @param {Record<string, Order>} orders by their names in the address @param {() => void} changed @param {string | null} [given] the order in which the items come */
  constructor(table, orders, changed, given = null) {
    this.orders = orders;
    this.given = given;
    /** @type {any[]} */
    this.buttons = [...table.querySelectorAll("[data-sort]")];
    for (const button of this.buttons) {
      setAttr(button, "title", `Sort by ${orders[button.dataset.sort].words}`);
      button.addEventListener("click", () => { this.choose(button.dataset.sort); changed(); });
    }
    addEventListener("popstate", () => { this.read(); changed(); });
    this.read();
  }

  /** Take the order from the address; an unknown one counts as none, or as the order in which the items come. */
  read() {
    const [, reverse, key] = /^(-?)(.*)$/s.exec(new URLSearchParams(location.search).get("sort") ?? "");
    const isKnown = Object.hasOwn(this.orders, key);
    this.key = isKnown ? key : this.given;
    const first = this.key && this.orders[this.key].first;
    this.direction = isKnown && reverse ? OTHER[first] : first;
    for (const button of this.buttons) setAttr(button.closest("th"), "aria-sort", button.dataset.sort === this.key ? this.direction : null);
  }

  choose(key) {
    const url = new URL(location.href);
    const isReverse = this.key === key && this.direction === this.orders[key].first;
    url.searchParams.set("sort", `${isReverse ? "-" : ""}${key}`);
    history.pushState(null, "", url);
    this.read();
  }

  /** What the order is by, or nothing if it is the given one. */
  get words() { return this.key !== this.given ? `, sorted by ${this.orders[this.key].words}` : ""; }

  /** Return the items in the chosen order; equal ones stay as they are. @param {any[]} items */
  sorted(items) {
    if (!this.key) return items;
    const { of } = this.orders[this.key], sign = this.direction === "ascending" ? 1 : -1;
    return items.map((item) => ({ item, value: of(item) })).sort(({ value: a }, { value: b }) =>
      a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -sign : sign).map(({ item }) => item);
  }
}
