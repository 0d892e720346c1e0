// The filter of the jobs table. It is kept in the address, so that links, reload and "back" work.

export const FIELDS = ["status", "type", "queue", "tag", "q"];

/** @typedef {Record<string, string>} Filter */

/** @returns {{filter: Filter, cursor: string | null}} */
export function readAddress() {
  const search = new URLSearchParams(location.search);
  const filter = Object.fromEntries(FIELDS.map((name) => [name, search.get(name) ?? ""]).filter(([, value]) => value));
  return { filter, cursor: search.get("cursor") };
}

/** @param {string} path @param {Filter} filter @param {Record<string, any>} [more] */
export function address(path, filter, more = {}) {
  const search = new URLSearchParams(filter);
  for (const [name, value] of Object.entries(more)) if (value !== null) search.set(name, value);
  return search.size ? `${path}?${search}` : path;
}

/** Return whether a job of an event matches. The text is not compared, as events carry no payload. @param {any} job @param {Filter} filter */
export const matches = (job, filter) =>
  (!filter.status || job.status === filter.status) && (!filter.type || job.type === filter.type) &&
  (!filter.queue || job.queue === filter.queue) && (!filter.tag || job.tags.includes(filter.tag));
