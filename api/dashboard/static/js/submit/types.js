// The page of all job types: what they take, and what their attempts have cost.
import { byId, narrowed, setAttr, setText } from "../base/dom.js";
import { startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { PastHour } from "../base/past-hour.js";
import { Rows } from "../lists/rows.js";
import { Sorting } from "../lists/sorting.js";
import { failedShare, failureShare, neverRan, typeCells, typeDetails } from "./type-row.js";
import { plural } from "../base/words.js";

/** @type {Record<string, import("../lists/sorting.js").Order>} */
const ORDERS = {
  name: { words: "name", first: "ascending", of: ({ name }) => name },
  run: { words: "run time (p95)", first: "descending", of: ({ stats }) => stats?.run_s.p95 ?? null },
  failures: { words: "the share of attempts that failed", first: "descending", of: ({ stats }) => failureShare(stats?.ended ?? {}) },
  hour: { words: "the share of jobs that failed in the last hour", first: "descending", of: ({ stats }) => (stats?.last_hour ? failedShare(stats.last_hour) : null) },
  failed: { words: "failed jobs", first: "descending", of: ({ failed }) => failed },
};

startChrome();
/** The types whose details are open. */
const open = new Set([decodeURIComponent(location.hash).replace(/^#type-/, "")]);
const rows = new Rows(byId("rows"), {
  key: ({ name }) => name,
  cells: (type) => typeCells(type, open.has(type.name), () => toggle(type.name), () => refresh.now()),
  fold: (type) => open.has(type.name) && typeDetails(type),
  attributes: ({ name, isUnused }) => ({ id: `type-${name}`, "data-unused": isUnused }),
  text: ({ name, description }) => `${name} ${description}`,
});

/** @param {string} name */
function toggle(name) {
  if (!open.delete(name)) open.add(name);
  rows.redraw();
}

// Types that never ran are folded, as the page of a young system would be full of dashes.
const table = byId("rows").closest("table"), fold = byId("unused"), search = byId("search");
let isOpen = false;
const showFold = () => {
  setAttr(fold, "aria-expanded", String(isOpen));
  table.classList.toggle("unfolded", isOpen || search.value.trim() !== "");
};
fold.addEventListener("click", () => { isOpen = !isOpen; showFold(); });
search.addEventListener("input", showFold);
const sorting = new Sorting(table, ORDERS, () => rows.shown && show(true));
/** The figures are of all queues: who sees only some of them gets none. */
const hasFigures = !narrowed.includes("queues");
const hour = new PastHour("type", () => rows.shown && show());
/** @type {any[]} */
let items = [];
const refresh = followStream(async (signal) => {
  const [types, stats, errors] = await Promise.all(["/types", "/stats/types", "/errors"].map((path) => (path === "/stats/types" && !hasFigures ? { items: [] } : request(path, { signal }))));
  items = joined(types.items, stats.items, errors.items);
  const unused = items.filter((type) => type.isUnused);
  if (!rows.shown) isOpen = unused.length === items.length || unused.some(({ name }) => location.hash === `#type-${name}`);
  showFold();
  show();
  fold.hidden = !unused.length;
  setText(fold, neverRan(unused.length));
});

/** Show the rows in their order, those that never ran last. @param {boolean} [isAsked] */
function show(isAsked) {
  const sorted = sorting.sorted(items.map((type) => ({ ...type, minutes: hour.minutes(type.name, ({ done, failed }) => done + failed) })));
  rows.show([...sorted.filter((type) => !type.isUnused), ...sorted.filter((type) => type.isUnused)], isAsked);
  const known = items.filter(({ schema }) => schema !== null).length;
  setText(byId("summary"), items.length ? `${plural(known, "type")}${sorting.words}` : "\u00a0");
}

/** Return every type, even one that only has figures, with its figures and its failed jobs. */
function joined(types, stats, errors) {
  const figures = new Map(stats.map((one) => [one.name, one]));
  const failed = new Map();
  for (const { type, count } of errors) failed.set(type, (failed.get(type) ?? 0) + count);
  const known = new Set(types.map(({ name }) => name));
  const others = stats.filter(({ name }) => !known.has(name)).map(({ name }) => ({ name, description: name === "_other" ? "All types that were unknown when their attempts ended." : "No module defines it any more.", schema: null }));
  return [...types, ...others].map((type) => {
    const own = { stats: figures.get(type.name) ?? null, failed: failed.get(type.name) ?? 0 };
    return { ...type, ...own, isUnused: hasFigures && !own.stats && !own.failed && !type.quarantine };
  });
}
