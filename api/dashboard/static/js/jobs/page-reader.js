// Reads the page that a list shows, and tries again when that fails.
//
// A new page takes the place of the rows only when it has come. Until then, and if the read fails, the
// rows, their filter and what waits to be shown stay as they are.
import { byId, setAttr, setText } from "../base/dom.js";
import { readPage } from "./job-pages.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

export class PageReader {
  /** @param {import("./jobs-table.js").JobsTable} table */
  constructor(table) {
    this.table = table;
    /** The filter and the cursor of the page that was asked for last. */
    this.wanted = { filter: table.filter, cursor: table.cursor };
    /** Events that came while a page was read. @type {any[]} */
    this.meanwhile = [];
    this.failures = 0;
  }

  /** @param {Record<string, string>} [filter] @param {string | null} [cursor] */
  async read(filter = this.wanted.filter, cursor = this.wanted.cursor) {
    const { table } = this;
    this.stop();
    const reading = (this.reading = new AbortController());
    this.wanted = { filter, cursor };
    setAttr(table.body, "aria-busy", "true");
    let page, problem;
    try { page = await readPage(filter, cursor, table.page, reading.signal, (text) => setText(byId("total"), text)); }
    catch (error) { problem = error; }
    if (this.reading !== reading) return; // another took its place
    this.reading = null;
    setAttr(table.body, "aria-busy", null);
    if (problem) this.failed(problem); else this.came(page, filter, cursor);
    table.schedule();
  }

  /** Read nothing, and show no job: the filter is refused. */
  refuse() {
    this.stop();
    this.failures = 0;
    this.table.showNone();
  }

  /** Give up what is read, or would be tried again. */
  stop() {
    this.reading?.abort();
    this.reading = null;
    this.retry = clearTimeout(this.retry);
    this.meanwhile = [];
    this.table.catchUp.summed = false;
    setAttr(this.table.body, "aria-busy", null);
  }

  came(page, filter, cursor) {
    Object.assign(this.table, { filter, cursor });
    this.table.show(page);
    if (this.failures) this.table.told(null);
    this.failures = 0;
    this.table.loaded();
    this.table.take(this.meanwhile); // they are newer than the page
  }

  /** @param {any} error */
  failed(error) {
    const { frame, body, told } = this.table;
    if (error.errors?.length || (!frame.isRead && !mayPass(error))) this.refuse(); // nothing will come
    else frame.showTotal();
    told(error);
    this.failures++;
    if (mayPass(error)) this.retry = setTimeout(() => this.read(), Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures));
  }

  /** Try again now instead of after the wait. */
  retryNow() { if (this.retry) this.read(); }
}

/** Whether what failed may succeed later. @param {any} error */
export const mayPass = ({ status }) => !(status >= 400 && status < 500);
