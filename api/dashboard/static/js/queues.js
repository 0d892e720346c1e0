// The page of all queues.
import { backlogOf } from "./backlog.js";
import { byId, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { QueueRow } from "./queue-row.js";
import { Rows } from "./rows.js";
import { Sorting } from "./sorting.js";
import { count, plural } from "./words.js";

/** @type {Record<string, import("./sorting.js").Order>} */
const ORDERS = {
  name: { words: "name", first: "ascending", of: ({ name }) => name },
  pending: { words: "pending jobs", first: "descending", of: ({ counts }) => counts.pending },
  oldest: { words: "the oldest due job", first: "descending", of: oldestOf },
};

startChrome();
const rows = new Rows(byId("rows"), ({ name }) => name, (queue) => new QueueRow(queue, () => poll.now()), searchedText);
const sorting = new Sorting(byId("rows").closest("table"), ORDERS, () => rows.shown && show(true), "name");
byId("search").addEventListener("input", () => rows.shown && showSummary());
/** @type {any[]} */
let items = [];
const poll = new Poll(async (signal) => {
  ({ items } = await request("/queues", { signal }));
  show();
});

/** @param {boolean} [isAsked] */
function show(isAsked) {
  rows.show(sorting.sorted(items), isAsked);
  showSummary();
}

/** For how long a job has waited at most, also one that a quarantine holds back. @param {any} queue */
function oldestOf({ oldest_pending_s: age, held_back: held }) {
  const ages = [...(age === null ? [] : [age]), ...held.map((/** @type {any} */ one) => one.oldest_s)];
  return ages.length ? Math.max(...ages) : null;
}

/** What a search looks at: the name, what the row says of its state, and who serves it. @param {any} queue */
function searchedText(queue) {
  const { name, paused, pause, unready, pools, held_back: held } = queue;
  return [name, paused && "paused", pause?.by, pause?.reason, unready, ...backlogOf(queue), ...held.map((/** @type {any} */ one) => `held back ${one.type} is quarantined`), ...(pools.length ? pools.map((/** @type {any} */ pool) => pool.name) : ["no pool"])].filter(Boolean).join("\n");
}

/** What the queues that are shown have in all: while one searches, only some are. */
function showSummary() {
  setText(byId("summary"), items.length ? summary(rows.found, items.length) : "\u00a0");
}

function summary(queues, all) {
  const paused = queues.filter((queue) => queue.paused);
  const waiting = queues.reduce((sum, { counts }) => sum + counts.pending, 0);
  const held = paused.reduce((sum, { counts }) => sum + counts.pending, 0);
  return [
    `${queues.length < all ? `${count(queues.length)} of ` : ""}${plural(all, "queue")}${sorting.words}`,
    queues.length && (waiting ? `${plural(waiting, "job is", "jobs are")} pending` : "nothing is pending"),
    paused.length && `${count(paused.length)} paused${held ? `, with ${plural(held, "pending job")}` : ""}`,
  ].filter(Boolean).join(" · ");
}
