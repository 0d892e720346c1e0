// The filter field of the lists of jobs: `status:failed type:resize since:1h some text` (field-words.js). Pure.
import { completeFields, parseFields, writeFields } from "./field-words.js";
import { STATUSES } from "../base/words.js";

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
