// Above the list of one queue's jobs: why none of them starts, as GET /queues tells it, with a link to the queue.
import { byId, h, hide, icon } from "./dom.js";
import { request } from "./http.js";
import { pausedWords } from "./paused.js";

const EVERY_MS = 3000;
const node = byId("none-starts");
/** @type {string | undefined} */
let name;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

document.addEventListener("visibilitychange", () => read());

/** Tell it of this queue from now on. @param {string | undefined} queue undefined: the list is not of one queue */
export function tellOf(queue) {
  if (queue === name) return;
  name = queue;
  paint(undefined);
  read();
}

async function read() {
  clearTimeout(timer);
  const asked = name;
  if (!asked || document.hidden) return;
  try {
    const { items } = await request("/queues");
    if (asked !== name) return; // it is asked of another one
    paint(items.find((/** @type {any} */ queue) => queue.name === asked));
  } catch (error) {
    if (!("status" in error)) reportError(error); // else the stream tells that the connection is lost
  }
  clearTimeout(timer);
  if (asked === name) timer = setTimeout(read, EVERY_MS);
}

/** @param {any} queue */
function paint(queue) {
  const why = queue?.none_starts, shown = why ? JSON.stringify([queue.name, why, queue.pause]) : "";
  if (shown === (node.dataset.shown ?? "")) return; // keep a selection and the focus
  node.dataset.shown = shown;
  hide(node, !why, byId("query"));
  if (!why) return;
  const link = h("a", { href: `/ui/queues#queue-${queue.name}` }, queue.name);
  const words = queue.pause ? [" is ", ...pausedWords(queue.pause)] : [`: ${why}, so none of its jobs starts`];
  node.replaceChildren(icon("blocked"), h("span", {}, "Queue ", link, ...words));
}
