// Above the list of one queue's jobs: why none of them starts, or which limit holds them, as GET /queues tells it. It is
// shown if any of the list may wait to start, with a link to the queue, where a paused one is resumed. This also reads how
// many jobs the queue has of each status.
import { byId, h, hide, icon, isReadOnly, setText } from "../base/dom.js";
import { isByEnd } from "../lists/filter.js";
import { request } from "../base/http.js";
import { pausedWords } from "../queues/paused.js";
import { WAITING } from "../base/words.js";

const EVERY_MS = 3000;
const LONGEST_WAIT_MS = 15000;
const node = byId("none-starts");
/** @type {string | undefined} */
let name;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let failures = 0;
/** Whether the list can hold jobs that wait. */
let mayWait = false;
/** The queue as it was last read; undefined: not read yet, or there is none. @type {any} */
let queue;
const clause = document.createTextNode("");
/** @type {(counts: Record<string, number> | undefined) => void} */
let counted = () => {};

document.addEventListener("visibilitychange", () => read());

/** From now on, tell of the queue of this filter, if it has one. @param {import("../lists/filter.js").Filter} filter @param {(counts: Record<string, number> | undefined) => void} count gets what it has of each status, undefined while that is not known */
export function tellOf(filter, count) {
  mayWait = !isByEnd(filter) && (!filter.status || WAITING.has(filter.status));
  if (filter.queue === name) return paint();
  name = filter.queue;
  counted = count;
  counted(undefined);
  queue = undefined;
  paint();
  read();
}

/** Read the queue. This is no Poll, as the page's stream tells whether the API is there; but a slow server, or none, is asked as seldom. */
async function read() {
  clearTimeout(timer);
  const asked = name, began = performance.now();
  if (!asked || document.hidden) return;
  try {
    const { items: [item] } = await request(`/queues?${new URLSearchParams({ name: asked })}`);
    if (asked !== name) return; // another queue is asked for by now
    failures = 0;
    queue = item;
    counted(item?.counts ?? {}); // a queue that is not listed has no jobs
    paint();
  } catch (error) {
    failures += 1;
    if (!("status" in error)) reportError(error);
  }
  clearTimeout(timer);
  const wait = failures ? Math.min(LONGEST_WAIT_MS, EVERY_MS * 2 ** failures) : Math.max(EVERY_MS, (performance.now() - began) * 10);
  if (asked === name) timer = setTimeout(read, wait);
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
