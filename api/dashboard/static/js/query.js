// The language of the one filter field: `status:failed type:resize "where:jobs.py:12 in resize" some text`.
//
// Pure. What has the key of a field filters by it; everything else is text that is searched for. A
// value with a space stands in quotation marks, as `where:"jobs.py:12 in resize"`.

export const STATUSES = ["pending", "blocked", "in_progress", "done", "failed", "cancelled"];
export const KEYS = ["status", "type", "queue", "tag", "error", "where", "since", "until"];
const TOKEN = /([a-z]+):("(?:[^"\\]|\\.)*"?|\S*)|"(?:[^"\\]|\\.)*"?|\S+/g;
const SPECIAL = new RegExp(`[\\s"\\\\]|^(?:${KEYS.join("|")}):`);

/** @typedef {Record<string, string>} Filter */

/** @param {string} text @returns {{filter: Filter, problems: string[]}} */
export function parse(text) {
  /** @type {Filter} */
  const filter = {};
  const words = [], problems = [];
  for (const [token, key, value] of text.matchAll(TOKEN)) {
    if (!KEYS.includes(key)) words.push(unquoted(token));
    else if (key in filter) problems.push(`${key} stands twice; a job has one${key === "tag" ? " that is looked for" : ""}.`);
    else if (value !== "") filter[key] = unquoted(value);
  }
  const q = words.join(" ").trim();
  if (q) filter.q = q;
  if (filter.status && !STATUSES.includes(filter.status)) problems.push(`There is no status ${filter.status}: it is ${STATUSES.join(", ")}.`);
  if (filter.where && !filter.error) problems.push("where needs error, the name of an exception.");
  return { filter, problems };
}

/** Return the text that `parse` makes this filter of. @param {Filter} filter */
export function write(filter) {
  const parts = KEYS.filter((key) => filter[key]).map((key) => `${key}:${quoted(filter[key], /[\s"\\]/)}`);
  if (filter.q) parts.push(SPECIAL.test(filter.q) && !isPlain(filter.q) ? quoted(filter.q, /^/) : filter.q);
  return parts.join(" ");
}

/** Return the texts that the last word may become. @param {string} text @param {Record<string, string[]>} known the values of keys */
export function completions(text, known) {
  const [, before, last] = /^(.*?)(\S*)$/s.exec(text) ?? ["", "", ""];
  const [key, value] = last.split(/:(.*)/s);
  const all = { status: STATUSES, since: ["15m", "1h", "1d"], ...known };
  if (value !== undefined) return (all[key] ?? []).filter((one) => one.startsWith(value) && one !== value).map((one) => `${before}${key}:${quoted(one, /[\s"\\]/)}`);
  return KEYS.filter((one) => key && one.startsWith(key)).map((one) => `${before}${one}:`);
}

/** Several plain words are read as they stand. */
const isPlain = (text) => text === text.trim() && text.split(/\s+/).join(" ") === text && text.split(" ").every((word) => !SPECIAL.test(word));

const quoted = (text, where) => (where.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text);

const unquoted = (text) => (text.startsWith('"') ? text.slice(1).replace(/(?<!\\)"$/, "").replace(/\\(.)/g, "$1") : text);
