// The page of one program: what it prints, the newest part first read, then as it comes.
import { byId, h, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { ProgramState } from "./program-state.js";
import { timeNode } from "./time.js";
import { plural } from "./words.js";

const MOST_LINES = 3000;
const MOST_AT_ONCE = 1000;
const EVERY_MS = 1000, STATE_MS = 2500;
const slot = byId("program").dataset.slot;
const host = new URLSearchParams(location.search).get("host");
const node = byId("log"), follow = byId("log-follow"), stream = byId("log-stream");
const state = new ProgramState(slot, host);
let last = null, lines = 0, stateAt = -Infinity;

startChrome();
stream.addEventListener("change", () => { node.dataset.only = stream.value; scrollToEnd(); });
follow.addEventListener("change", scrollToEnd);
for (const kind of ["wheel", "touchmove"]) node.addEventListener(kind, updateFollow, { passive: true });
node.addEventListener("keydown", updateFollow);
const poll = new Poll(read, EVERY_MS);

/** Read what follows the last line shown, and now and then how the program is. */
async function read() {
  const query = new URLSearchParams({ limit: MOST_AT_ONCE, ...last === null ? {} : { after: last }, ...host ? { host } : {} });
  const { items } = await request(`/programs/${encodeURIComponent(slot)}/logs?${query}`);
  const isBehind = last !== null && items.length === MOST_AT_ONCE; // after the page was hidden
  append(items);
  if (isBehind) poll.now();
  const isNews = items.some((/** @type {any} */ one) => one.stream === "orpheus"); // it was started, or has ended
  if (!isNews && performance.now() - stateAt < STATE_MS) return;
  await state.read();
  stateAt = performance.now();
}

/** @param {{id: number, at: string, stream: string, line: string}[]} items */
function append(items) {
  if (!items.length) { if (last === null) setText(byId("log-summary"), "no lines"); return; }
  node.append(...items.map(({ at, stream, line }) => h("div", { class: "line", "data-stream": stream, "data-level": stream === "stderr" ? 2 : stream === "orpheus" ? 0 : 1 },
    timeNode(at, "clock"), h("span", { class: "level" }, stream), h("span", { class: "text" }, line))));
  last = items[items.length - 1].id;
  lines += items.length;
  while (node.childElementCount > MOST_LINES) node.firstElementChild.remove();
  setText(byId("log-summary"), plural(Math.min(lines, MOST_LINES), "newest line"));
  scrollToEnd();
}

function scrollToEnd() { if (follow.checked) node.scrollTop = node.scrollHeight; }

/** Stop following when the reader scrolls up, and follow again at the end. */
function updateFollow() {
  requestAnimationFrame(() => { follow.checked = node.scrollTop + node.clientHeight >= node.scrollHeight - 4; });
}
