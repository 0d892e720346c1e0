// The page of one program: what it prints, the newest part first and then what is added; above it how the program is and
// what can be done with it, below it the exits.
import { byId, h, hide, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { iconOf, isBad, lookOf } from "../base/slot-state.js";
import { timeNode } from "../base/time.js";
import { bytes, count, duration, plural, spaced, withoutColours } from "../base/words.js";
import { retitle, startChrome } from "../frame/chrome.js";
import { Following } from "../frame/log-following.js";
import { LogSearch } from "../frame/log-search.js";
import { LogWindow } from "../frame/log-window.js";
import { followStream } from "../frame/refresh.js";
import { Slot } from "./slot.js";

const MOST_LINES = 3000;
const MOST_AT_ONCE = 1000;
const EVERY_MS = 1000;
const LEVELS = { orpheus: 0, stdout: 1, stderr: 2 };
const name = byId("program").dataset.slot, host = new URLSearchParams(location.search).get("host");
const node = byId("log"), stream = byId("log-stream");
/** @typedef {{id: number, at: string, stream: string, line: string}} Line */
/** What is loaded. @type {Line[]} */
const lines = [];
const shown = new LogWindow(node, rowOf, () => following.scrollToEnd());
const following = new Following(node, () => shown.drawLast());
const search = new LogSearch(node, showAll);
const slot = new Slot(showState);

startChrome();
byId("slot").append(slot.exits.node);
stream.addEventListener("change", showAll);
const refresh = followStream(read, (kind) => kind.startsWith("worker."), EVERY_MS);

/** Read what follows the last line shown, and how the program is. @param {AbortSignal} signal */
async function read(signal) {
  const query = new URLSearchParams({ limit: MOST_AT_ONCE, ...lines.length ? { after: lines.at(-1).id } : {}, ...host ? { host } : {} });
  let isMissing = false, items = [];
  try { ({ items } = await request(`/programs/${encodeURIComponent(name)}/logs?${query}`, { signal })); } catch (error) {
    if (error.status !== 404) throw error;
    isMissing = true; // it may come yet
  }
  setText(byId("missing-what"), `There is no program ${name}${host ? ` on ${host}` : ""}.`);
  byId("missing").hidden = !isMissing;
  byId("status").hidden = isMissing;
  hide(byId("output"), isMissing, byId("main"));
  if (isMissing) return showState();
  if (items.length === MOST_AT_ONCE && lines.length) refresh.soon(); // there is more, as after the page was hidden
  append(items.map((/** @type {Line} */ line) => ({ ...line, line: withoutColours(line.line) })));
  const { items: workers } = await request("/workers", { signal });
  const own = workers.find((/** @type {any} */ worker) => worker.slot === name && (host === null || worker.host === host));
  if (own) {
    slot.take(own, workers.some((/** @type {any} */ worker) => worker.slot === "supervisor" && worker.host === own.host), workers.some((/** @type {any} */ worker) => worker.host !== own.host));
    slot.exits.add(own.recent_exits ?? []);
  } else slot.worker = null;
  showState();
}

function showState() {
  const { worker } = slot;
  for (const id of ["slot-actions", "slot-why", "slot"]) hide(byId(id), !worker, node);
  const word = worker ? spaced(worker.state) : byId("missing").hidden ? "not running" : "no such program";
  retitle(`${word}: ${name} · Orpheus`, !!worker && isBad(worker.state));
  if (!worker) return draw(html`<b>${word}</b>`, byId("status"));
  const { degraded, pid, uptime_s: up, restarts, cpu_percent: cpu, rss_bytes: rss } = worker, look = lookOf(worker), why = slot.meaning();
  const facts = [pid ? `pid ${pid}` : "no process", up !== null && `up ${duration(up)}`, plural(restarts, "restart"), cpu !== null && `CPU ${cpu.toFixed(1)} %`, rss !== null && bytes(rss)];
  draw(html`<span data-state=${look}><span class="mark">${icon(iconOf(look))}</span></span><b>${word}${degraded ? ", degraded" : ""}</b><span class="hint">${facts.filter(Boolean).join(" · ")}</span>`, byId("status"));
  draw(slot.actions(), byId("slot-actions"));
  draw(why ? html`<p class="why">${why}</p>` : nothing, byId("slot-why"));
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
