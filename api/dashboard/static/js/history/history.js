// The page of the history: what happened to jobs, and beside it what happened to the system and what operators did.
// The address has the span, so that links, reload and "back" work: `?range=1d`, or `?since=…&until=…` after a click in a chart.
import { base } from "../base/base.js";
import { byId, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, nothing } from "../base/lit.js";
import { momentOf, now, timeOf } from "../base/time.js";
import { count, duration, plural, tidy } from "../base/words.js";
import { startChrome } from "../frame/chrome.js";
import { followStream } from "../frame/refresh.js";
import { pastChart } from "./past-chart.js";

const HOUR_MS = 3_600_000;
const RANGES = { "1h": 1, "6h": 6, "1d": 24, "2d": 48, "7d": 168, "30d": 720, "90d": 2160 };
const AROUND_MS = HOUR_MS / 2, LEAST_AROUND_MS = HOUR_MS / 12; // a click shows so much before and after it: an hour, or less of a short span
const MARKED = "config,supervisor.started,supervisor.degraded,worker.fatal,operator,alert.fired";
/** What happens all day long is not shown unless it is asked for. */
const NOT_ROUTINE = "config,supervisor,worker.exited,worker.hung,worker.fatal,operator,alert,schedule.missed,type";
const MOST = 200;
const MOST_ALIKE = 3; // neighbours of one kind; the others are folded
const TYPING_MS = 350;
const COUNTED = ["submitted", "done", "failed", "cancelled", "retried", "worker_s"];
const TIMES = ["wait_p50_s", "wait_p95_s", "run_p50_s", "run_p95_s"];

/** @type {{points: any[], step: number, names: string[], items: any[], more: string | null, marks: any[]} | null} */
let read = null;
/** @type {number | null} */
let hovered = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;

startChrome();
const field = byId("search");
field.value = asked().q;
field.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => find(field.value.trim()), TYPING_MS); });
addEventListener("popstate", () => { field.value = asked().q; refresh.now(); });
const refresh = followStream(load, (kind) => !kind.startsWith("job."), 15_000);

/** What the address asks for. */
function asked() {
  const query = new URLSearchParams(location.search), given = (/** @type {string} */ name) => query.get(name) ?? "";
  const since = Date.parse(given("since")), until = Date.parse(given("until"));
  const range = Object.hasOwn(RANGES, given("range")) ? given("range") : "1h";
  const span = since < until ? { since, until } : { since: now() - RANGES[range] * HOUR_MS, until: now() };
  return { ...span, range: since < until ? "" : range, by: given("by") === "type" ? "type" : "queue", name: given("name"), q: given("q"), isWhole: given("all") === "yes" };
}

/** Change the address, and read. @param {Record<string, string>} changes @param {boolean} [isTyped] */
function go(changes, isTyped = false) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  if (isTyped) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  refresh.now();
}

/** Search for a text, or go to a time of the day or a date. @param {string} text */
function find(text) {
  const at = /^\d\d:\d\d|^\d{4}-\d\d-\d\d/.test(text) ? momentOf(text) : NaN;
  go(at ? around(at) : { q: text }, true);
}

/** The address of what happened around a time. @param {number} at @param {number} [ms] before and after it */
function around(at, ms = AROUND_MS) {
  const until = Math.min(now(), at + ms);
  return { range: "", q: "", since: new Date(until - 2 * ms).toISOString(), until: new Date(until).toISOString() };
}

/** @param {AbortSignal} signal */
async function load(signal) {
  const { since, until, by, name, q, isWhole } = asked();
  const span = { since: new Date(since).toISOString(), until: new Date(until).toISOString() };
  const get = (/** @type {string} */ path, /** @type {Record<string, string>} */ query) => request(`${path}?${new URLSearchParams({ ...span, ...query })}`, { signal });
  const [past, page, marks] = await Promise.all([
    get("/stats/history", { by }), get("/timeline", { limit: String(MOST), ...(q ? { q } : {}), ...(isWhole ? {} : { kind: NOT_ROUTINE }) }), get("/timeline", { limit: String(MOST), kind: MARKED }),
  ]);
  const items = name ? past.items.filter((/** @type {any} */ item) => item.name === name) : past.items;
  read = {
    points: together(items.flatMap((/** @type {any} */ { points }) => points)), step: past.step_s * 1000,
    names: past.items.map((/** @type {any} */ item) => item.name), items: page.items, more: page.next_cursor, marks: marks.items,
  };
  show();
}

/** One point for each time: sums of what is counted, and of times the longest. @param {any[]} points */
function together(points) {
  const byTime = new Map();
  for (const point of points) {
    const sum = byTime.get(point.at) ?? { at: Date.parse(point.at) };
    for (const field of COUNTED) sum[field] = (sum[field] ?? 0) + point[field];
    for (const field of TIMES) sum[field] = point[field] === null ? sum[field] ?? null : Math.max(sum[field] ?? 0, point[field]);
    byTime.set(point.at, sum);
  }
  return [...byTime.values()].sort((a, b) => a.at - b.at);
}

function show() {
  if (!read) return;
  const { points, step, names, items, more, marks } = read, { since, until, range, by, name, q, isWhole } = asked();
  const button = (/** @type {string} */ words, /** @type {boolean} */ isOn, /** @type {Record<string, string>} */ changes) => html`<button type="button" class="quiet" aria-pressed=${String(isOn)} @click=${() => go(changes)}>${words}</button>`;
  draw(html`
    <div role="group" aria-label="Span of time">${Object.keys(RANGES).map((words) => button(words, words === range, { range: words, since: "", until: "" }))}</div>
    <div role="group" aria-label="Figures by">${["queue", "type"].map((words) => button(`by ${words}`, words === by, { by: words, name: "" }))}</div>
    <label class="inline">${by} <select aria-label="Show one ${by}" @change=${(/** @type {any} */ event) => go({ name: event.target.value })}>
      <option value="" ?selected=${!name}>all</option>${names.map((one) => html`<option ?selected=${one === name}>${one}</option>`)}</select></label>
    <span class="summary">${timeOf(new Date(since).toISOString(), "exact")} to ${timeOf(new Date(until).toISOString(), "exact")}, in steps of ${tidy(step / 1000)}</span>`, byId("span"));
  const span = { since, until, step, times: points.map(({ at }) => at), marks: marks.map(({ at, text }) => ({ at: Date.parse(at), text: `${new Date(at).toLocaleTimeString()} ${text}` })) };
  const series = (/** @type {string} */ words, /** @type {string} */ kind, /** @type {string} */ field) => ({ name: words, kind, values: points.map((point) => point[field]) });
  const how = (/** @type {(value: number) => string} */ format, stacked = false) => ({
    format, stacked, hovered, hover: (/** @type {number | null} */ at) => { hovered = at; show(); },
    pick: (/** @type {number} */ at) => go({ ...around(at, Math.max(LEAST_AROUND_MS, Math.min(AROUND_MS, (until - since) / 12))), q }),
  });
  const slowest = name || names.length < 2 ? "" : `, slowest ${by}`, whole = (/** @type {number} */ value) => count(Math.round(value));
  draw(html`
    ${pastChart("Jobs ended", [series("done", "done", "done"), series("failed", "failed", "failed"), series("cancelled", "cancelled", "cancelled")], span, how(whole, true))}
    ${pastChart("Submitted and retried", [series("submitted", "in_progress", "submitted"), series("retried", "pending", "retried")], span, how(whole))}
    ${pastChart(`Wait${slowest}`, [series("p50", "in_progress", "wait_p50_s"), series("p95", "pending", "wait_p95_s")], span, how(duration))}
    ${pastChart(`Run${slowest}`, [series("p50", "in_progress", "run_p50_s"), series("p95", "pending", "run_p95_s")], span, how(duration))}
    ${pastChart("Worker time", [series("ran", "done", "worker_s")], span, how(duration, true))}`, byId("charts"));
  draw(hovered === null ? "Point at a chart for its figures; click to zoom in." : timeOf(new Date(hovered).toISOString(), "exact"), byId("pointed"));
  draw(grouped(items).map((alike) => (alike.length <= MOST_ALIKE ? alike.map(line) : html`${line(alike[0])}
    <li class="alike"><details><summary>${count(alike.length - 1)} more ${alike[0].kind} since ${timeOf(alike.at(-1).at, "exact")}</summary><ol>${alike.slice(1).map(line)}</ol></details></li>`)), byId("events"));
  draw(button("include starts and schedules", isWhole, { all: isWhole ? "" : "yes" }), byId("routine"));
  showOrHide(byId("no-events"), items.length ? "" : q ? "No events match." : "No events in this span.");
  showOrHide(byId("summary"), `${plural(items.length, "event")}${more ? ", older ones left out: choose a shorter span" : ""}`);
}

/** Neighbours of one kind together. What operators did stands alone. @param {any[]} items @returns {any[][]} */
function grouped(items) {
  /** @type {any[][]} */
  const groups = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last && last[0].kind === item.kind && !item.by) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** @param {any} item */
const line = ({ at, kind, text, by: who, link, subject }) => html`<li data-kind=${kind.split(".")[0]}>
  ${timeOf(at, "exact")}<span class="kind">${kind}</span><span>${link ? html`<a href=${base + link}>${text}</a>` : text || subject}${who ? html` <small>by ${who}</small>` : nothing}</span></li>`;
