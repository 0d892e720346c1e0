// The filter of a list of jobs. It is kept in the address, so that links, reload and "back" work.
import { base } from "../base/base.js";
import { momentOf } from "../base/time.js";

const FIELDS = ["status", "type", "queue", "tag", "payload", "q", "error", "where", "since", "until", "sort"];
export const JOBS = `${base}/ui/jobs`;

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
export const isDeep = (filter) => Boolean(filter.q || filter.where || filter.payload);

/** The filter as the API takes it: with whole times. @param {Filter} filter */
export function withTimes(filter) {
  const sent = { ...filter };
  for (const name of ["since", "until"]) if (sent[name]) sent[name] = new Date(momentOf(sent[name])).toISOString();
  return sent;
}

/** The filter as POST /jobs/bulk takes it: without an order. A list by end has only ended jobs, and so has this filter. @param {Filter} filter */
export function fixed({ sort, ...filter }) {
  return withTimes(sort === "ended" && !filter.since && !filter.until ? { ...filter, until: "0s" } : filter);
}
