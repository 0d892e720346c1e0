// The page of one program: what it prints. The newest part is read first, then what is added, and older
// parts when they are asked for.
import { byId, h, hide, onPress, setOff, setText } from "../base/dom.js";
import { retitle, startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { Following } from "../frame/log-following.js";
import { LogSearch } from "../frame/log-search.js";
import { LogWindow } from "../frame/log-window.js";
import { Poll } from "../frame/poll.js";
import { ProgramState } from "./program-state.js";
import { timeNode } from "../base/time.js";
import { count, plural, withoutColours } from "../base/words.js";

const MOST_LINES = 3000;
const MOST_WITH_OLDER = 50_000;
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
const older = byId("log-older");
let last = null, stateAt = -Infinity, most = MOST_LINES, wantsOlder = false;

startChrome();
onPress(older, () => { wantsOlder = true; setOff(older, true); poll.now(); });
stream.addEventListener("change", showAll);
const poll = new Poll(read, EVERY_MS);

/** Read what follows the last line shown, and now and then how the program is. @param {AbortSignal} signal */
async function read(signal) {
  let items;
  try { items = await readLines(last === null ? {} : { after: last }, signal); } catch (error) {
    if (error.status !== 404) throw error;
    return showMissing(true);
  }
  showMissing(false);
  const isBehind = last !== null && items.length === MOST_AT_ONCE; // after the page was hidden
  append(items);
  if (isBehind) poll.now();
  if (wantsOlder) await readOlder(signal);
  const isNews = items.some((/** @type {any} */ one) => one.stream === "orpheus"); // it was started, or has ended
  if (!isNews && performance.now() - stateAt < STATE_MS) return;
  await state.read(signal);
  stateAt = performance.now();
}

/** Show only that there is no such program; or what there is of it, as it may come yet. @param {boolean} isMissing */
function showMissing(isMissing) {
  if (isMissing === !byId("missing").hidden) return;
  setText(byId("missing-what"), `There is no program ${slot}${host ? ` on ${host}` : ""}.`);
  byId("missing").hidden = !isMissing;
  if (isMissing) { retitle(`no such program: ${slot} · Orpheus`, false); state.hide(); }
  byId("status").hidden = isMissing;
  hide(byId("output"), isMissing, byId("main"));
}

/** @param {{after?: number, before?: number}} which @param {AbortSignal} signal @returns {Promise<Line[]>} */
async function readLines(which, signal) {
  const query = new URLSearchParams({ limit: MOST_AT_ONCE, ...which, ...host ? { host } : {} });
  return (await request(`/programs/${encodeURIComponent(slot)}/logs?${query}`, { signal })).items.map(/** @param {Line} one */ (one) => ({ ...one, line: withoutColours(one.line) }));
}

/** Put what was printed before the oldest line above it. From then on the page forgets lines much later. @param {AbortSignal} signal */
async function readOlder(signal) {
  const items = await readLines({ before: lines[0].id }, signal);
  wantsOlder = false;
  most = MOST_WITH_OLDER;
  lines.unshift(...items);
  shown.prepend(items.filter(isWanted));
  const isFull = lines.length >= most;
  setOff(older, isFull || !items.length);
  if (isFull || !items.length) setText(older, isFull ? "no more fits here" : "no older output");
  showSummary();
  setText(byId("log-found"), items.length ? byId("log-summary").textContent : older.textContent);
}

/** @param {Line[]} items */
function append(items) {
  if (!items.length) { if (last === null) setText(byId("log-summary"), "no lines"); return; }
  if (last === null) setOff(older, false);
  last = items[items.length - 1].id;
  lines.push(...items);
  lines.splice(0, Math.max(0, lines.length - most));
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
  shown.forget(most);
  showSummary();
  following.toEnd();
}

function showSummary() {
  const all = plural(lines.length, "newest line");
  const found = lines.filter(isWanted).length;
  const more = older.ariaDisabled === "true" ? "" : " Press \"older output\" to look in what was printed before.";
  search.sayNone(lines.length && !shown.count ? `None of the ${all} matches.${more}` : null);
  // The box may still hold lines that are no longer among the newest.
  setText(byId("log-summary"), search.wanted || stream.value ? `${count(found)} of ${all}` : all);
}

/** Whether a line is shown: what Orpheus says of the program belongs to both streams. @param {Line} line */
const isWanted = ({ stream: from, line }) => (!stream.value || from === stream.value || from === "orpheus") && search.matches(line.toLowerCase());

/** @param {Line} line */
function rowOf({ at, stream, line }) {
  return h("div", { class: "line", "data-stream": stream, "data-level": LEVELS[stream] },
    timeNode(at, "clock"), h("span", { class: "level" }, stream), h("span", { class: "text" }, ...search.marked(line)));
}
