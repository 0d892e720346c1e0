// Above the list of one queue's jobs: why none of them starts, or which limit holds them, as GET /queues tells it. It is
// shown if any of the list may wait to start, with a link to the queue, where a paused one is resumed. This also reads how
// many jobs the queue has of each status.
import { byId, h, hide, icon, isReadOnly, setText } from "../base/dom.js";
import { isByEnd } from "../lists/filter.js";
import { request } from "../base/http.js";
import { Refresh } from "../frame/refresh.js";
import { pausedWords } from "../queues/paused.js";
import { WAITING } from "../base/words.js";

const EVERY_MS = 3000;
const node = byId("none-starts");
/** @type {string | undefined} */
let name;
/** Whether the list can hold jobs that wait. */
let mayWait = false;
/** The queue as it was last read; undefined: not read yet, or there is none. @type {any} */
let queue;
const clause = document.createTextNode("");
/** @type {(counts: Record<string, number> | undefined) => void} */
let counted = () => {};
const refresh = new Refresh(read, { every: EVERY_MS, told: () => {} });

/** From now on, tell of the queue of this filter, if it has one. @param {import("../lists/filter.js").Filter} filter @param {(counts: Record<string, number> | undefined) => void} count gets what it has of each status, undefined while that is not known */
export function tellOf(filter, count) {
  mayWait = !isByEnd(filter) && (!filter.status || WAITING.has(filter.status));
  if (filter.queue === name) return paint();
  name = filter.queue;
  counted = count;
  counted(undefined);
  queue = undefined;
  paint();
  refresh.now();
}

/** @param {AbortSignal} signal */
async function read(signal) {
  if (!name) return;
  [queue] = (await request(`/queues?${new URLSearchParams({ name })}`, { signal })).items;
  counted(queue?.counts ?? {}); // a queue that is not listed has no jobs
  paint();
}

function paint() {
  const reason = mayWait && queue?.reason, paused = mayWait && queue?.paused, shown = reason || paused ? JSON.stringify([queue.name, paused]) : "";
  if (reason) setText(clause, reason.text); // the times in it change
  if (shown === (node.dataset.shown ?? "")) return; // keep a selection and the focus
  node.dataset.shown = shown;
  hide(node, !shown, byId("query"));
  if (!shown) return;
  const link = (/** @type {string} */ words) => h("a", { href: `/ui/queues#queue-${queue.name}` }, words);
  const words = !paused ? [link(queue.name), ": ", clause]
    : isReadOnly ? [link(queue.name), " is ", ...pausedWords(paused)]
    : [queue.name, " is ", ...pausedWords(paused), " · ", link("resume it on the page of queues")];
  node.replaceChildren(icon("blocked"), h("span", {}, "Queue ", ...words));
}
