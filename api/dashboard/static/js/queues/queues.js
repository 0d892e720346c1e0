// The page of all queues.
import { byId } from "../base/dom.js";
import { draw, html } from "../base/lit.js";
import { startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { PastHour } from "../base/past-hour.js";
import { queueCells, trouble } from "./queue-row.js";
import { Rows } from "../lists/rows.js";
import { Sorting } from "../lists/sorting.js";
import { count, plural } from "../base/words.js";

/** @type {Record<string, import("../lists/sorting.js").Order>} */
const ORDERS = {
  trouble: { words: "trouble", first: "descending", of: trouble },
  name: { words: "name", first: "ascending", of: ({ name }) => name },
  waiting: { words: "waiting jobs", first: "descending", of: ({ counts }) => counts.pending + counts.blocked },
  running: { words: "running jobs", first: "descending", of: ({ counts }) => counts.in_progress },
  failed: { words: "failed jobs", first: "descending", of: ({ counts }) => counts.failed },
  oldest: { words: "the oldest due job", first: "descending", of: ({ oldest_due_s }) => oldest_due_s },
};

startChrome();
const rows = new Rows(byId("rows"), {
  key: ({ name }) => name,
  cells: (queue) => queueCells(queue, () => refresh.now()),
  attributes: ({ name, paused, counts }) => ({ id: `queue-${name}`, "data-paused": paused !== null, "data-idle": !(counts.pending + counts.blocked + counts.in_progress) }),
  text: ({ name, paused, reason, pools }) => [name, paused && `paused ${paused.by ?? ""} ${paused.reason ?? ""}`, reason?.text, ...pools.map((/** @type {any} */ pool) => pool.name)].filter(Boolean).join("\n"),
  ticks: true,
});
const sorting = new Sorting(byId("rows").closest("table"), ORDERS, () => rows.shown && show(true), "trouble");
byId("search").addEventListener("input", () => rows.shown && showTotals());
const hour = new PastHour("queue", () => rows.shown && show());
/** @type {any[]} */
let items = [];
const refresh = followStream(async (signal) => {
  const read = await request("/queues", { signal });
  items = read.items.map((/** @type {any} */ queue) => ({ ...queue, readAt: Date.now() }));
  show();
}, (kind) => kind.startsWith("queue."));

/** @param {boolean} [isAsked] */
function show(isAsked) {
  rows.show(sorting.sorted(items.map((queue) => ({ ...queue, failedLately: hour.sum(queue.name, ({ failed }) => failed) }))), isAsked);
  showTotals();
}

function showTotals() {
  const queues = rows.found, some = (/** @type {(queue: any) => any} */ has) => queues.filter(has).length;
  const waiting = queues.reduce((sum, { counts }) => sum + counts.pending, 0);
  const [paused, stuck] = [some((queue) => queue.paused), some((queue) => trouble(queue) >= 2)];
  draw(items.length ? html`${queues.length < items.length ? `${count(queues.length)} of ` : ""}${plural(items.length, "queue")}${sorting.words} · ${plural(waiting, "pending job")}${
    stuck ? html` · <span class="bad">${count(stuck)} stuck</span>` : ""}${paused ? ` · ${count(paused)} paused` : ""}` : "\u00a0", byId("summary"));
}
