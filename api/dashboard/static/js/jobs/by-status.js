// Above the list of jobs: how many there are of each status, of all jobs or of the filter's queue. Each number is a
// link that adds its status to the filter, or takes it out again.
import { byId, setAttr, setText } from "../base/dom.js";
import { JOBS, address } from "../lists/filter.js";
import { LIVE, count } from "../base/words.js";

/** @typedef {Record<string, number>} Counts */

export class ByStatus {
  constructor() {
    this.node = byId("by-status");
    /** @type {Record<string, string>} */
    this.filter = {};
    /** @type {Counts | undefined} undefined: not known yet */
    this.ofAll = undefined;
    /** @type {Counts | undefined} */
    this.ofQueue = undefined;
  }

  /** Take how many jobs there are, whatever the filter is. @param {Counts} counts */
  takeAll(counts) { this.ofAll = counts; this.show(); }

  /** Take how many jobs the queue of the filter has. @param {Counts | undefined} counts */
  takeQueue(counts) { this.ofQueue = counts; this.show(); }

  /** Take the filter that the links change. @param {Record<string, string>} filter */
  take(filter) {
    this.filter = filter;
    setAttr(this.node, "data-of", filter.queue ? "queue" : "all");
    setAttr(this.node, "aria-label", filter.queue ? `Jobs of queue ${filter.queue} by status` : "All jobs by status");
    for (const item of this.node.children) {
      const link = item.firstElementChild, { status: of } = item.dataset, isChosen = filter.status === of;
      const { status: _, sort, ...rest } = filter;
      setAttr(link, "href", address(JOBS, { ...(isChosen ? {} : { status: of }), ...rest, ...(sort && !LIVE.includes(of) ? { sort } : {}) }));
      setAttr(link, "aria-current", isChosen ? "true" : null);
      setAttr(link, "title", isChosen ? "Show those of any status again" : null);
      if (isChosen) this.node.scrollLeft = link.offsetLeft - this.node.offsetLeft; // in a narrow window, not all links are seen
    }
    this.show();
  }

  show() {
    const counts = this.filter.queue ? this.ofQueue : this.ofAll;
    for (const item of this.node.children) {
      const number = counts && (counts[item.dataset.status] ?? 0);
      setText(item.querySelector("b"), number === undefined ? "–" : count(number));
      item.classList.toggle("none", !number);
    }
  }
}
