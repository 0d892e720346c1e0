// The beginning of a value's JSON as short text: `path=a.png width=640`. Pure.
import { Exact, parseExact, writeExact } from "./exact.js";

const LONGEST = 160;

/** @param {string | null} [json] which may be cut off anywhere: then it is shown as it is */
export function preview(json) {
  if (json === undefined || json === null) return "";
  let text = json;
  try { text = ofValue(parseExact(json)); } catch { text = `${json}…`; }
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function ofValue(value) {
  if (value === null) return "";
  return typeof value !== "object" || Array.isArray(value) || value instanceof Exact ? plain(value)
    : Object.entries(value).map(([name, part]) => `${name}=${plain(part)}`).join(" ");
}

const plain = (value) => (typeof value === "string" && !/[\s"]/.test(value) ? value : writeExact(value));
