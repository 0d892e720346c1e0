// What becomes of the backlog of a queue: whether it grows, and when it is empty.
import { duration, plural, rate, rounded } from "./words.js";

const SOON_S = 10; // no worker that was added would be ready earlier
/** Rates that differ by a smaller share count as equal: both are averages of five minutes. */
const STEADY = 0.05;

/** Return lines of text, the most important first. @param {any} queue @returns {string[]} */
export function backlogOf(queue) {
  const { drain, counts, paused, due, quarantined, next_due_s: next, submitted_per_minute: into, ended_per_minute: out } = queue;
  const waiting = counts.pending + counts.in_progress;
  if (!waiting) return ["empty"];
  if (paused) return ["paused"];
  if (!queue.pools.length && !counts.in_progress) return ["no pool serves it"];
  if (!due && !counts.in_progress) return next ? ["none is due now", `the next in ${rounded(next)}`] : quarantined.map((type) => `${type} is quarantined`);
  if (drain && drain.seconds < SOON_S) return ["empty in a few seconds"];
  return [trendOf(into, out), ...(drain ? drainOf(drain, into) : [out ? "empty at an unknown time" : "none has ended lately"])].filter(Boolean);
}

function trendOf(into, out) {
  const more = into - out;
  if (Math.abs(more) <= Math.max(into, out) * STEADY) return into ? "steady" : "";
  return `${more > 0 ? "grows" : "shrinks"} by ${rate(Math.abs(more))} a minute`;
}

/** When it is empty is an estimate that counts nothing submitted until then. */
function drainOf({ seconds, with_more: [more] }, into) {
  const helps = more && more.seconds < seconds * 0.95;
  return [`empty in about ${roughly(seconds)}${into ? " if no more come" : ""}`, helps ? `with ${plural(more.more_workers, "more worker")} ${roughly(more.seconds)}` : ""];
}

/** Of many minutes, nobody can know the seconds. @param {number} seconds */
const roughly = (seconds) => (seconds < 300 ? duration(seconds) : rounded(seconds));
