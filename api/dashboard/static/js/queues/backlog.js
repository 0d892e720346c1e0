// What becomes of the backlog of a queue: whether it grows, and when it is empty.
import { count, duration, plural, rate, rounded } from "../base/words.js";

const SOON_S = 10; // an added worker would not be ready earlier

/** Return lines of text, the most important first. @param {any} queue @returns {string[]} */
export function backlogOf(queue) {
  const { drain, counts, paused, due, held_back: held, next_due_s: next, grows_per_minute: grows, none_starts: nobody, slowed, no_estimate: unknown } = queue;
  const waiting = counts.pending + counts.in_progress;
  if (!waiting) return [counts.blocked ? `${count(counts.blocked)} blocked` : "empty"];
  if (paused) return ["paused", dueOf(queue)].filter(Boolean);
  const later = counts.pending - due, why = nobody ?? (limitOf(queue) || slowed);
  if (!due && (next || nobody || !counts.in_progress)) return [nobody ?? (next ? (held.length ? "none can start now" : "none is due now") : ""), next ? `the next ${nobody ? "is due " : ""}in ${rounded(next)}` : ""].filter(Boolean);
  const gone = held.length ? "the others done" : later > 0 ? "those due done" : "empty";
  const rest = later > 0 && !held.length ? `${plural(later, "is", "are")} due later${next ? `, the next in ${rounded(next).replaceAll(" ", "\u00a0")}` : ""}` : "";
  if (drain && drain.seconds < SOON_S) return [`${gone} in a few seconds`, rest].filter(Boolean);
  return [why, trendOf(grows), ...(drain ? drainOf(drain, grows, gone) : [unknown]), rest].filter(Boolean);
}

/** How many pending jobs of a paused queue wait, if not all do, and when the next one does. @param {any} queue */
export function dueOf({ counts, due, next_due_s: next, held_back: held }) {
  if (held.length || due >= counts.pending || (!due && !next)) return "";
  return `${due ? `${count(due)} due` : "none is due now"}${next ? `, the ${due ? "next" : "first"} in\u00a0${rounded(next).replaceAll(" ", "\u00a0")}` : ""}`;
}

/** Which limit holds the due jobs back, and until when. @param {any} queue */
export function limitOf({ limited }) {
  if (!limited) return "";
  return `${limited.text}${limited.next_s === null ? "" : `, the next may start in\u00a0${rounded(limited.next_s).replaceAll(" ", "\u00a0")}`}`;
}

/** The trend of a backlog. It is left out if none comes any more: the time when it is empty is enough. @param {number | null} grows */
function trendOf(grows) {
  if (!grows) return grows === 0 ? "steady" : "";
  return `${grows > 0 ? "grows" : "shrinks"} by ${rate(Math.abs(grows))} a minute`;
}

/** When the queue is empty: an estimate that does not count what is submitted until then. */
function drainOf({ seconds, with_more: [more] }, grows, gone) {
  const helps = more && more.seconds < seconds * 0.95;
  return [`${gone} in about ${roughly(seconds)}${grows === null ? "" : " if no\u00a0more\u00a0come"}`, helps ? `with ${plural(more.more_workers, "more worker")} ${roughly(more.seconds)}` : ""];
}

/** A duration without seconds if it is long: nobody can know them. @param {number} seconds */
const roughly = (seconds) => (seconds < 300 ? duration(seconds) : rounded(seconds)).replaceAll(" ", "\u00a0");
