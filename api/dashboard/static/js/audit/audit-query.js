// The filter field of the audit log: `who:ada what:retry target:queue since:1h some text`. Pure.
//
// The address and the API have other names for two of the fields, those of an entry: `by` and `action`.
import { completeFields, parseFields, writeFields } from "../lists/query.js";

const NAMES = { who: "by", what: "action", target: "target", since: "since", until: "until" };
const KEYS = Object.keys(NAMES);
export const FIELDS = [...Object.values(NAMES), "q"];
const ACTIONS = ["cancel", "retry", "run", "delete", "pause", "resume", "restart", "drain", "scale", "release", "configure", "reload", "stop"];
const KINDS = ["job", "queue", "schedule", "type", "slot", "pool", "program", "configuration"];
const KNOWN = { what: ACTIONS, target: KINDS, since: ["15m", "1h", "1d", "7d"], until: ["1h", "1d"] };

/** @typedef {Record<string, string>} Filter by the names of the address */

/** @param {string} text @returns {{filter: Filter, problems: string[]}} */
export function parse(text) {
  const { filter: { q, ...given }, twice } = parseFields(text, KEYS);
  const filter = Object.fromEntries(Object.entries(given).map(([key, value]) => [NAMES[key], value]));
  return { filter: q ? { ...filter, q } : filter, problems: twice.map((key) => `${key} stands twice.`) };
}

/** Return the text that `parse` makes this filter of. @param {Filter} filter */
export const write = ({ q, ...filter }) =>
  writeFields({ q, ...Object.fromEntries(KEYS.map((key) => [key, filter[NAMES[key]]])) }, KEYS);

/** Return the field's name for that of the address: "what" for "action". @param {string} name */
export const fieldOf = (name) => KEYS.find((key) => NAMES[key] === name) ?? name;

/** Return the texts that the last word may become. @param {string} text */
export const completions = (text) => completeFields(text, KEYS, KNOWN);
