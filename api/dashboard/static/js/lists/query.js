// The filter field of the list of jobs: `status:failed type:resize customer=4711 since:14:02 some text`. Pure.
import { momentOf } from "../base/time.js";
import { STATUSES } from "../base/words.js";

/** A field with its value, a text in quotation marks, or a word. */
const TOKEN = /([\p{L}\p{N}_.-]+)([:=])("(?:[^"\\]|\\.)*"?|\S*)|"(?:[^"\\]|\\.)*"?|\S+/gu;
const UNSAFE = /[\s"\\]/;
const KEYS = ["status", "type", "queue", "tag", "error", "where", "since", "until"];
const TIMES = ["15m", "1h", "14:02", "yesterday", "2026-12-01"];
/** What is not plain text: quotation marks, `status:…`, `payload.customer:…`, `customer=…`. */
const SPECIAL = new RegExp(`["\\\\]|^(?:(?:${KEYS.join("|")}|payload\\.[^\\s:]+):|[\\p{L}\\p{N}_.-]+=.)`, "u");

/** @typedef {Record<string, string>} Filter */

/** @param {string} text @returns {{filter: Filter, problems: string[]}} `filter.payload`: values of payload fields, as the API takes them */
export function parse(text) {
  /** @type {Filter} */
  const filter = {};
  const words = [], fields = [], problems = [];
  for (const [token, key, sign, value] of text.matchAll(TOKEN)) {
    const isField = sign === "=" || key?.startsWith("payload.");
    if (sign === ":" && KEYS.includes(key)) {
      if (key in filter) problems.push(`${key} is given twice.`);
      else if (value) filter[key] = unquoted(value);
    } else if (isField && value) fields.push(`${key.replace(/^payload\./, "")}=${value}`);
    else words.push(unquoted(token));
  }
  if (fields.length) filter.payload = fields.join(" ");
  const q = words.join(" ").trim();
  if (q) filter.q = q;
  if (filter.status && !STATUSES.includes(filter.status)) problems.push(`Unknown status "${filter.status}". Use ${STATUSES.join(", ")}.`);
  for (const key of ["since", "until"]) if (filter[key] && Number.isNaN(momentOf(filter[key]))) problems.push(`Unknown time "${filter[key]}". Use ${TIMES.join(", ")}.`);
  if (filter.where && !filter.error) problems.push("where needs error, the name of an exception.");
  return { filter, problems };
}

/** Return the text that `parse` makes this filter of. @param {Filter} filter */
export function write(filter) {
  const parts = KEYS.filter((key) => filter[key]).map((key) => `${key}:${UNSAFE.test(filter[key]) ? quoted(filter[key]) : filter[key]}`);
  if (filter.payload) parts.push(filter.payload);
  const { q } = filter, isPlain = !q || (q.split(/\s+/).join(" ") === q.trim() && !q.split(/\s+/).some((word) => SPECIAL.test(word)));
  if (q) parts.push(isPlain ? q : quoted(q));
  return parts.join(" ");
}

/** Say how an empty list was searched: which words look like fields, and which types were compared. @param {Filter} filter */
export function hints({ q = "", payload = "" }) {
  const unknown = [...q.matchAll(/(?:^|\s)([a-z_]+):(?!\/\/)\S/g)].map(([, key]) => `Unknown field "${key}"; searched as text.`);
  const typed = [...payload.matchAll(/(\S+)=(-?\d[\d.]*|true|false|null)(?=\s|$)/g)].map(([, name, value]) => `${name} was compared with ${/\d/.test(value) ? `the number ${value}` : value}; ${name}="${value}" looks for text.`);
  return [...unknown, ...typed];
}

/** Return the number if the text is that of a job alone, as "4711" or "#4711". @param {string} text */
export const jobNumber = (text) => /^\s*#?(\d+)\s*$/.exec(text)?.[1];

/** Return the texts that the last word may become. @param {string} text @param {Record<string, string[]>} known the values of keys */
export function completions(text, known) {
  const [, before, last] = /^(.*?)(\S*)$/s.exec(text) ?? ["", "", ""];
  const [key, value] = last.split(/:(.*)/s), values = { status: STATUSES, since: TIMES, until: TIMES, ...known };
  if (value === undefined) return KEYS.filter((name) => key && name.startsWith(key)).map((name) => `${before}${name}:`);
  return (Object.hasOwn(values, key) ? values[key] : []).filter((name) => name.startsWith(value) && name !== value).map((name) => `${before}${key}:${name}`);
}

const quoted = (/** @type {string} */ text) => `"${text.replace(/["\\]/g, "\\$&")}"`;

const unquoted = (/** @type {string} */ text) => (text.startsWith('"') ? text.slice(1).replace(/(?<!\\)"$/, "").replace(/\\(.)/g, "$1") : text);
