// The page of all queues.
import { byId, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { QueueRow } from "./queue-row.js";
import { Rows } from "./rows.js";
import { count, plural } from "./words.js";

startChrome();
const rows = new Rows(byId("rows"), ({ name }) => name, (queue) => new QueueRow(queue, () => poll.now()), ({ name }) => name);
const poll = new Poll(async () => {
  const { items } = await request("/queues");
  rows.show(items);
  setText(byId("summary"), summary(items));
});

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
