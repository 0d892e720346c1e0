// Which jobs of events belong to the top of a list, and in which order. Pure.
import { isByEnd, isDeep } from "../lists/filter.js";

const ENDS = new Set(["job.done", "job.failed", "job.cancelled"]);

/** @typedef {Record<string, string>} Filter */

/**
 * Whether an event brings a job, which is not shown and matches as far as events can tell, to the top of the list.
 * @param {string} kind of the event @param {any} job @param {Filter} filter @param {number} oldest the id of the last job: lower ones are not new
 */
export function isNewer(kind, job, filter, oldest) {
  if (isByEnd(filter)) return ENDS.has(kind);
  return job.id > oldest && (!isDeep(filter) || mayMatchSince(kind, job, filter));
}

/**
 * Whether a job may match now, in something that events do not carry, but did not at the last look: it is new itself, or has
 * since then got the status or the error that is looked for. Others only go on as they did.
 */
function mayMatchSince(kind, { error }, { q, status, error: type }) {
  if (kind === "job.enqueued") return true;
  if (kind === "job.progress" || (kind === "job.started" && !status)) return false;
  return Boolean(status || type || (q && error?.message?.toLowerCase().includes(q.toLowerCase())));
}

/** Whether a job stands before another. A job that has not ended has no position by end, and stays where it is. @param {Filter} filter */
export function isBefore(job, other, filter) {
  const by = isByEnd(filter) ? Date.parse(job.finished_at) - Date.parse(other.finished_at) : 0;
  return by > 0 || (by === 0 && job.id > other.id);
}
