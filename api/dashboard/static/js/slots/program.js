// The page of one program: what it prints, the newest part first and then what is added, and how it is.
import { byId, h, hide, setText } from "../base/dom.js";
import { retitle, startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { Following } from "../frame/log-following.js";
import { LogSearch } from "../frame/log-search.js";
import { LogWindow } from "../frame/log-window.js";
import { followStream } from "../frame/refresh.js";
import { ProgramState } from "./program-state.js";
import { timeNode } from "../base/time.js";
import { count, plural, withoutColours } from "../base/words.js";

const MOST_LINES = 3000;
const MOST_AT_ONCE = 1000;
const EVERY_MS = 1000;
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

startChrome();
stream.addEventListener("change", showAll);
const refresh = followStream(read, (kind) => kind.startsWith("worker."), EVERY_MS);

/** Read what follows the last line shown, and how the program is. @param {AbortSignal} signal */
async function read(signal) {
  const query = new URLSearchParams({ limit: MOST_AT_ONCE, ...lines.length ? { after: lines.at(-1).id } : {}, ...host ? { host } : {} });
  let items;
  try { ({ items } = await request(`/programs/${encodeURIComponent(slot)}/logs?${query}`, { signal })); } catch (error) {
    if (error.status !== 404) throw error;
    return showMissing(true);
  }
  showMissing(false);
  if (items.length === MOST_AT_ONCE && lines.length) refresh.soon(); // there is more, as after the page was hidden
  append(items.map((one) => ({ ...one, line: withoutColours(one.line) })));
  await state.read(signal);
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

/** @param {Line[]} items */
function append(items) {
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
  if (items.length) {
    shown.append(items.filter(isWanted));
    shown.forget(MOST_LINES);
    following.toEnd();
  }
  const all = plural(lines.length, "newest line");
  search.sayNone(lines.length && !shown.count ? `None of the ${all} matches.` : null);
  // The box may still hold lines that are no longer among the newest.
  setText(byId("log-summary"), !lines.length ? "no lines" : search.wanted || stream.value ? `${count(lines.filter(isWanted).length)} of ${all}` : all);
}

/** Whether a line is shown: what Orpheus says of the program belongs to both streams. @param {Line} line */
function isWanted({ stream: from, line }) { return (!stream.value || from === stream.value || from === "orpheus") && search.matches(line.toLowerCase()); }

/** @param {Line} line */
function rowOf({ at, stream: from, line }) {
  return h("div", { class: "line", "data-stream": from, "data-level": LEVELS[from] },
    timeNode(at, "clock"), h("span", { class: "level" }, from), h("span", { class: "text" }, ...search.marked(line)));
}
