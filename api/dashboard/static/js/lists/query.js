// The filter field of the lists of jobs: `status:failed type:resize since:1h some text`. Pure.
import { STATUSES } from "../base/words.js";

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

export const KEYS = ["status", "type", "queue", "tag", "error", "where", "since", "until"];

/** @typedef {Record<string, string>} Filter */

/** @param {string} text @returns {{filter: Filter, problems: string[]}} */
export function parse(text) {
  const { filter, twice } = parseFields(text, KEYS);
  const problems = twice.map((key) => `${key} stands twice; a job has one${key === "tag" ? " that is looked for" : ""}.`);
  if (filter.status && !STATUSES.includes(filter.status)) problems.push(`There is no status ${filter.status}: it is ${STATUSES.join(", ")}.`);
  if (filter.where && !filter.error) problems.push("where needs error, the name of an exception.");
  return { filter, problems };
}

/** Return the number if the text is that of a job alone, as "4711" or "#4711". @param {string} text */
export const jobNumber = (text) => /^\s*#?(\d+)\s*$/.exec(text)?.[1];

/** Return the text that `parse` makes this filter of. @param {Filter} filter */
export const write = (filter) => writeFields(filter, KEYS);

/** Return the texts that the last word may become. @param {string} text @param {Record<string, string[]>} known the values of keys */
export const completions = (text, known) => completeFields(text, KEYS, { status: STATUSES, since: ["15m", "1h", "1d"], ...known });
