// The filter of a list of jobs. It is kept in the address, so that links, reload and "back" work.
import { now } from "../base/time.js";

export const FIELDS = ["status", "type", "queue", "tag", "q", "error", "where", "since", "until", "sort"];
export const JOBS = "/ui/jobs";
const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @typedef {Record<string, string>} Filter */

/** @param {string[]} [fields] @returns {{filter: Filter, cursor: string | null}} */
export function readAddress(fields = FIELDS) {
  const search = new URLSearchParams(location.search);
  const filter = Object.fromEntries(fields.map((name) => [name, search.get(name) ?? ""]).filter(([, value]) => value));
  return { filter, cursor: search.get("cursor") };
}

/** @param {string} path @param {Filter} filter @param {Record<string, any>} [more] */
export function address(path, filter, more = {}) {
  const search = new URLSearchParams(filter);
  for (const [name, value] of Object.entries(more)) if (value !== null) search.set(name, value);
  return search.size ? `${path}?${search}` : path;
}

/** Call `go`, and load no page, when a link to another filter or page of a list is pressed. @param {string} path of the list @param {HTMLElement} body its rows @param {(to: string) => void} go */
export function followLinks(path, body, go) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(`main a[href^='${path}?'], main a[href='${path}']`);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (body.contains(document.activeElement)) document.activeElement.blur(); // else new rows are not inserted
    go(link.getAttribute("href"));
  });
}

/** Whether jobs are listed by when they ended. @param {Filter} filter */
export const isByEnd = (filter) => filter.sort === "ended" || (!filter.sort && Boolean(filter.since || filter.until));

/** Whether events do not carry all that the filter looks at. @param {Filter} filter */
export const isDeep = (filter) => Boolean(filter.q || filter.where);

/** The filter as POST /jobs/bulk takes it: with times that stay the same, and no order. A list by end has only ended jobs, and so has this filter. @param {Filter} filter */
export function fixed(filter) {
  const { sort, ...rest } = filter;
  if (sort === "ended" && !rest.since && !rest.until) rest.until = "0s";
  for (const name of ["since", "until"]) if (rest[name]) rest[name] = new Date(moment(rest[name])).toISOString();
  return rest;
}

/** "15m", or a time, in ms. @param {string} text */
function moment(text) {
  const ago = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)\s*$/.exec(text);
  return ago ? now() - Number(ago[1]) * UNITS_MS[ago[2] || "s"] : Date.parse(text);
}
