// The page of all queues.
import { backlogOf } from "./backlog.js";
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
  oldest: { words: "the oldest due job", first: "descending", of: oldestOf },
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

/** The longest time that a job has waited, even one that a quarantine holds back. @param {any} queue */
function oldestOf({ oldest_pending_s: age, held_back: held }) {
  const ages = [...(age === null ? [] : [age]), ...held.map((/** @type {any} */ one) => one.oldest_s)];
  return ages.length ? Math.max(...ages) : null;
}

/** The text that a search looks at: the name, what the row says of its state, and who serves it. @param {any} queue */
function searchedText(queue) {
  const { name, paused, pause, starved, none_starts: nobody, unready, pools, held_back: held } = queue;
  return [name, paused ? "it is paused" : starved && "it is starved", held.length && "jobs held back", pause?.by, pause?.reason, nobody, unready, ...backlogOf(queue), ...held.map((/** @type {any} */ one) => `held back ${one.type} is quarantined`), ...(pools.length ? pools.map((/** @type {any} */ pool) => pool.name) : ["no pool"])].filter(Boolean).join("\n");
}
