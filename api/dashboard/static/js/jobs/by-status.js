// Above the list of jobs: how many there are of each status, of all jobs or of the filter's queue. Each number is a
// link that adds its status to the filter, or takes it out again.
import { byId, setAttr, setText } from "../base/dom.js";
import { JOBS, address } from "../lists/filter.js";
import { LIVE, count } from "../base/words.js";

/** @typedef {Record<string, number>} Counts */
/** @typedef {import("../lists/filter.js").Filter} Filter */

export class ByStatus {
  /** @param {() => void} shown called after the numbers were shown */
  constructor(shown) {
    this.shown = shown;
    this.node = byId("by-status");
    /** @type {Counts | undefined} */
    this.ofAll = undefined;
    /** @type {Counts | undefined} */
    this.ofQueue = undefined;
    /** @type {Filter} */
    this.filter = {};
  }

  /** Take how many jobs there are, whatever the filter is. @param {Counts} counts */
  takeAll(counts) {
    this.ofAll = counts;
    this.show();
  }

  /** Take how many jobs the queue of the filter has. @param {Counts | undefined} counts undefined: that is not known yet */
  takeQueue(counts) {
    this.ofQueue = counts;
    this.show();
  }

  /** Take the filter that the links change. @param {Filter} filter */
  take(filter) {
    this.filter = filter;
    setAttr(this.node, "data-of", filter.queue ? "queue" : "all");
    setAttr(this.node, "aria-label", filter.queue ? `Jobs of queue ${filter.queue} by status` : "All jobs by status");
    for (const item of this.node.children) {
      const link = /** @type {HTMLAnchorElement} */ (item.firstElementChild), status = statusOf(item), isChosen = filter.status === status;
      const { status: _, sort, ...rest } = filter;
      setAttr(link, "href", address(JOBS, { ...(isChosen ? {} : { status }), ...rest, ...(sort && !LIVE.includes(status) ? { sort } : {}) }));
      setAttr(link, "aria-current", isChosen ? "true" : null);
      setAttr(link, "title", isChosen ? "Show those of any status again" : null);
      if (isChosen) this.node.scrollLeft = link.offsetLeft - this.node.offsetLeft; // in a narrow window, not all links are seen
    }
    this.show();
  }

  get counts() { return this.filter.queue ? this.ofQueue : this.ofAll; }

  /** How many jobs match a filter, if that is what is shown for a status; else undefined. @param {Filter} filter */
  of({ status, queue, sort, ...more }) {
    const isShown = status && queue === this.filter.queue && !Object.keys(more).length && !(sort && LIVE.includes(status));
    return isShown && this.counts ? this.counts[status] ?? 0 : undefined;
  }

  /** Take the total of a list, if its number is shown here. @param {Filter} filter @param {{value: number, relation: string}} total */
  learn(filter, { value, relation }) {
    if (this.of(filter) !== undefined && relation === "eq") this.counts[filter.status] = value;
    this.show();
  }

  show() {
    const { counts } = this;
    for (const item of this.node.children) {
      const number = counts && (counts[statusOf(item)] ?? 0);
      setText(item.querySelector("b"), number === undefined ? "–" : count(number));
      item.classList.toggle("none", !number);
    }
    this.shown();
  }
}

/** @param {Element} item */
const statusOf = (item) => /** @type {HTMLElement} */ (item).dataset.status ?? "";
