// The page of one program: what it prints, the newest part first read, then as it comes.
import { byId, h, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Following } from "./log-following.js";
import { LogSearch } from "./log-search.js";
import { LogWindow } from "./log-window.js";
import { Poll } from "./poll.js";
import { ProgramState } from "./program-state.js";
import { timeNode } from "./time.js";
import { count, plural } from "./words.js";

const MOST_LINES = 3000;
const MOST_AT_ONCE = 1000;
const EVERY_MS = 1000, STATE_MS = 2500;
const slot = byId("program").dataset.slot;
const host = new URLSearchParams(location.search).get("host");
const LEVELS = { orpheus: 0, stdout: 1, stderr: 2 };
const node = byId("log"), stream = byId("log-stream");
const state = new ProgramState(slot, host);
/** @typedef {{id: number, at: string, stream: string, line: string}} Line */
/** What is loaded. @type {Line[]} */
const lines = [];
const shown = new LogWindow(node, rowOf, () => following.scrollToEnd());
const following = new Following(node, () => shown.drawLast());
const search = new LogSearch(node, showAll);
let last = null, stateAt = -Infinity;

startChrome();
stream.addEventListener("change", showAll);
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

/** @param {Line[]} items */
function append(items) {
  if (!items.length) { if (last === null) setText(byId("log-summary"), "no lines"); return; }
  last = items[items.length - 1].id;
  lines.push(...items);
  lines.splice(0, Math.max(0, lines.length - MOST_LINES));
  show(items);
}

/** Show all lines anew: the stream or the text has changed. */
function showAll() {
  shown.replace([]);
  show(lines);
  setText(byId("log-found"), byId("log-summary").textContent);
}

/** @param {Line[]} items */
function show(items) {
  shown.append(items.filter(isWanted));
  shown.forget(MOST_LINES);
  const all = plural(lines.length, "newest line");
  // The box may still hold lines that are no longer among the newest.
  setText(byId("log-summary"), search.wanted || stream.value ? `${count(lines.filter(isWanted).length)} of ${all}` : all);
  following.toEnd();
}

/** What Orpheus says of the program belongs to both of its streams. @param {Line} line */
const isWanted = ({ stream: from, line }) => (!stream.value || from === stream.value || from === "orpheus") && search.matches(line.toLowerCase());

/** @param {Line} line */
function rowOf({ at, stream, line }) {
  return h("div", { class: "line", "data-stream": stream, "data-level": LEVELS[stream] },
    timeNode(at, "clock"), h("span", { class: "level" }, stream), h("span", { class: "text" }, ...search.marked(line)));
}
