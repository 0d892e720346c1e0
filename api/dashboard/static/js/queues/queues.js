// The page of all queues.
import { byId } from "../base/dom.js";
import { startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { QueueRow } from "./queue-row.js";
import { showTotals } from "./queue-totals.js";
import { Rows } from "../lists/rows.js";
import { Sorting } from "../lists/sorting.js";

/** @type {Record<string, import("../lists/sorting.js").Order>} */
const ORDERS = {
  name: { words: "name", first: "ascending", of: ({ name }) => name },
  pending: { words: "pending jobs", first: "descending", of: ({ counts }) => counts.pending },
  oldest: { words: "the oldest due job", first: "descending", of: ({ oldest_due_s }) => oldest_due_s },
};

startChrome();
const rows = new Rows(byId("rows"), ({ name }) => name, (queue) => new QueueRow(queue, () => refresh.now()), searchedText);
const sorting = new Sorting(byId("rows").closest("table"), ORDERS, () => rows.shown && show(true), "name");
byId("search").addEventListener("input", () => rows.shown && totals());
/** @type {any[]} */
let items = [];
const totals = () => showTotals(rows.found, items.length, sorting.words);
const refresh = followStream(async (signal) => {
  ({ items } = await request("/queues", { signal }));
  show();
}, (kind) => kind.startsWith("queue."));

/** @param {boolean} [isAsked] */
function show(isAsked) {
  rows.show(sorting.sorted(items), isAsked);
  totals();
}

/** The text that a search looks at: the name, what the row says of its state, and who serves it. @param {any} queue */
function searchedText({ name, paused, reason, pools }) {
  return [name, paused && "it is paused", paused?.by, paused?.reason, reason?.text, ...(pools.length ? pools.map((/** @type {any} */ pool) => pool.name) : ["no pool"])].filter(Boolean).join("\n");
}
