// The page of all queues.
import { byId, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { QueueRow } from "./queue-row.js";
import { Rows } from "./rows.js";
import { count, plural } from "./words.js";

startChrome();
const rows = new Rows(byId("rows"), ({ name }) => name, (queue) => new QueueRow(queue, () => poll.now()), searchedText);
const poll = new Poll(async () => {
  const { items } = await request("/queues");
  rows.show(items);
  setText(byId("summary"), summary(items));
});

/** What a search looks at: the name, the states and who serves it. @param {any} queue */
function searchedText({ name, paused, pools, held_back: held }) {
  return [name, paused && "paused", held.length && "held back quarantined", ...(pools.length ? pools.map((/** @type {any} */ pool) => pool.name) : ["no pool"])].filter(Boolean).join("\n");
}

function summary(queues) {
  if (!queues.length) return "\u00a0";
  const paused = queues.filter((queue) => queue.paused);
  const waiting = queues.reduce((sum, { counts }) => sum + counts.pending, 0);
  const held = paused.reduce((sum, { counts }) => sum + counts.pending, 0);
  return [
    plural(queues.length, "queue"),
    waiting ? `${plural(waiting, "job is", "jobs are")} pending` : "nothing is pending",
    paused.length && `${count(paused.length)} paused${held ? `, with ${plural(held, "pending job")}` : ""}`,
  ].filter(Boolean).join(" · ");
}
