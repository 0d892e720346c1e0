// The page of failed jobs by their errors: those that failed last, the largest first or in another chosen order.
import { byId, setText } from "../base/dom.js";
import { startChrome } from "../frame/chrome.js";
import { errorCells } from "./error-row.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { Rows } from "../lists/rows.js";
import { Sorting } from "../lists/sorting.js";
import { count, plural } from "../base/words.js";

const MOST_GROUPS = 500;
/** @type {Record<string, import("../lists/sorting.js").Order>} */
const ORDERS = {
  jobs: { words: "failed jobs", first: "descending", of: ({ count }) => count },
  hour: { words: "jobs that failed in the last hour", first: "descending", of: ({ last_hour: n }) => n },
  first: { words: "when the oldest of these failed", first: "descending", of: ({ first_seen: at }) => at },
  last: { words: "when a job last failed", first: "descending", of: ({ last_seen: at }) => at },
};

startChrome();
const rows = new Rows(byId("rows"), {
  key: ({ type, error, where }) => JSON.stringify([type, error, where]),
  cells: (group) => errorCells(group, () => refresh.now()),
  text: ({ type, error, where, message }) => `${type} ${error} ${where ?? ""} ${message}`,
});
const sorting = new Sorting(byId("rows").closest("table"), ORDERS, () => rows.shown && show(true), "jobs");
/** @type {any[]} */
let items = [];
const refresh = followStream(async (signal) => {
  ({ items } = await request("/errors", { signal }));
  show();
}, (kind) => kind === "job.failed" || kind === "job.requeued");

/** @param {boolean} [isAsked] */
function show(isAsked) {
  rows.show(sorting.sorted(items), isAsked);
  const sum = (/** @type {string} */ name) => items.reduce((all, one) => all + one[name], 0);
  const groups = items.length < MOST_GROUPS ? plural(items.length, "group") : `the ${MOST_GROUPS} groups that failed last`; // there may be more
  setText(byId("summary"), items.length ? `${plural(sum("count"), "failed job")} in ${groups}${sorting.words} · ${sum("last_hour") ? count(sum("last_hour")) : "none"} in the last hour` : "\u00a0");
}
