// The language of a filter field: `status:failed "where:jobs.py:12 in resize" some text`.
//
// Pure. A word with the key of a field filters by that field. Everything else is text to search for, the
// field `q`. A value with a space is in quotation marks, as `target:"queue mail"`.

const TOKEN = /([a-z]+):("(?:[^"\\]|\\.)*"?|\S*)|"(?:[^"\\]|\\.)*"?|\S+/g;
const UNSAFE = /[\s"\\]/;

/** @typedef {Record<string, string>} Filter */

/** @param {string} text @param {string[]} keys @returns {{filter: Filter, twice: string[]}} `twice`: keys that have two values */
export function parseFields(text, keys) {
  /** @type {Filter} */
  const filter = {};
  const words = [], twice = [];
  for (const [token, key, value] of text.matchAll(TOKEN)) {
    if (!keys.includes(key)) words.push(unquoted(token));
    else if (key in filter) twice.push(key);
    else if (value !== "") filter[key] = unquoted(value);
  }
  const q = words.join(" ").trim();
  if (q) filter.q = q;
  return { filter, twice };
}

/** Return the text that `parseFields` makes this filter of. @param {Filter} filter @param {string[]} keys */
export function writeFields(filter, keys) {
  const parts = keys.filter((key) => filter[key]).map((key) => `${key}:${quoted(filter[key], UNSAFE)}`);
  const special = new RegExp(`[\\s"\\\\]|^(?:${keys.join("|")}):`);
  if (filter.q) parts.push(special.test(filter.q) && !isPlain(filter.q, special) ? quoted(filter.q, /^/) : filter.q);
  return parts.join(" ");
}

/** Say which words of the text look like fields, and are none. @param {Filter} filter */
export const noFields = ({ q = "" }) =>
  [...q.matchAll(/(?:^|\s)([a-z]+:)(?!\/\/)\S/g)].map(([, key]) => `${key} is no field; it counts as text.`);

/** Return the texts that the last word may become. @param {string} text @param {string[]} keys @param {Record<string, string[]>} known the values of keys */
export function completeFields(text, keys, known) {
  const [, before, last] = /^(.*?)(\S*)$/s.exec(text) ?? ["", "", ""];
  const [key, value] = last.split(/:(.*)/s);
  if (value !== undefined) return (Object.hasOwn(known, key) ? known[key] : []).filter((one) => one.startsWith(value) && one !== value).map((one) => `${before}${key}:${quoted(one, UNSAFE)}`);
  return keys.filter((one) => key && one.startsWith(key)).map((one) => `${before}${one}:`);
}

/** Plain words need no quotation marks, even if they are several. */
const isPlain = (text, special) => text === text.trim() && text.split(/\s+/).join(" ") === text && text.split(" ").every((word) => !special.test(word));

const quoted = (text, where) => (where.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text);

const unquoted = (text) => (text.startsWith('"') ? text.slice(1).replace(/(?<!\\)"$/, "").replace(/\\(.)/g, "$1") : text);
