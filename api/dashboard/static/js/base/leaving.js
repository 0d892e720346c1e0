// Which jobs are about to be taken from a worker that ends, by what the last heartbeat told of the workers.
import { releasesIn } from "./slot-state.js";
import { rounded } from "./words.js";

/** @type {any[]} */
let workers = [];

/** Learn how the workers are from a message just received. @param {any[]} told */
export function learnWorkers(told) { workers = told; }

/** "default-1 releases it in 4 min if it still runs by then"; empty if its worker goes on, or it is not known which of several hosts it is on. @param {any} job */
export function takenText({ id, status, worker }) {
  if (status !== "in_progress") return "";
  const [own, ...others] = workers.filter(({ slot }) => slot === worker);
  if (!own || others.length || (own.places < 2 && String(own.job?.id) !== String(id))) return "";
  const left = releasesIn(own);
  return left ? `${worker} releases it in ${rounded(left)} if it still runs by then` : "";
}
