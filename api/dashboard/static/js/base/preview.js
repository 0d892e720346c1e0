// The beginning of a value's JSON as short text: `path=a.png width=640`. Pure.
import { Exact, parseExact, writeExact } from "./exact.js";

const LONGEST = 160;
/** A string, or any text without a separator at this depth. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|[[{]|[\]}]|,|[^"[\]{},]+/g;

/** @param {string | null} [json] which may be cut off anywhere */
export function preview(json) {
  if (json === undefined || json === null) return "";
  const text = inWords(json);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function inWords(json) {
  try { return ofValue(parseExact(json)); } catch { /* the JSON is cut off */ }
  if (!json.startsWith("{")) return json;
  const { whole, rest } = cut(json);
  const [, name, value] = /^\s*"((?:[^"\\]|\\.)*)"\s*:\s*(.*)$/s.exec(rest) ?? [null, "", rest];
  try { return [whole ? ofValue(parseExact(`${whole}}`)) : "", name ? `${name}=${value}…` : "…"].filter(Boolean).join(" "); } catch { return json; }
}

/** Return the members of an object that are whole, and what is left of the next one. */
function cut(json) {
  let depth = 0, end = 0;
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (token === "," && depth === 1) end = index;
  }
  return { whole: json.slice(0, end), rest: json.slice(end + 1) };
}

function ofValue(value) {
  if (value === null) return "";
  return typeof value !== "object" || Array.isArray(value) || value instanceof Exact ? plain(value)
    : Object.entries(value).map(([name, part]) => `${name}=${plain(part)}`).join(" ");
}

const plain = (value) => (typeof value === "string" && !/[\s"]/.test(value) ? value : writeExact(value));
