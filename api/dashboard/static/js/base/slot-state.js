// The state of a slot as signs and words, the same on the overview and on the page of a program.
import { ago, between, secondsTo } from "./time.js";
import { plural, rounded, ticking } from "./words.js";

const ICONS = {
  ready: "ready", degraded: "degraded", starting: "starting", draining: "stopping", stopping: "stopping", killing: "failed",
  backoff: "backoff", fatal: "fatal", stuck: "fatal", down: "down",
};
const BAD = new Set(["backoff", "fatal", "stuck", "killing"]);
/** The same as FAILURES_WITHIN_S of the verdict. */
const LATELY_S = 600;

/** How a slot is shown: its state, or `degraded` if it is ready but not well. @param {any} worker */
export const lookOf = (worker) => (worker.state === "ready" && (worker.degraded || worker.silent) ? "degraded" : worker.state);

/** @param {string} look */
export const iconOf = (look) => ICONS[look] ?? "down";

/** Whether this state may need somebody. @param {string} state */
export const isBad = (state) => BAD.has(state);

/** After how many seconds it releases the jobs that it still runs; 0 if it does not, or that is unknown. @param {any} worker */
const releasesIn = ({ state, until, job }) => (job && !["backoff", "fatal", "starting"].includes(state) ? secondsTo(until) : 0);

/** How long it may still run its jobs or be unready, or when it is started again; empty if neither, or unknown. @param {any} worker */
export function leftText(worker) {
  const { state, until } = worker, left = secondsTo(until);
  if (!left) return "";
  if (state === "backoff" || state === "fatal") return `restarts in ${ticking(left)}`;
  if (state === "starting") return `will be stopped in ${ticking(left)} unless it is ready`;
  const [jobs, end] = runningOf(worker) > 1 ? ["jobs", "they end"] : ["job", "it ends"];
  return releasesIn(worker) ? `releases its ${jobs} in ${ticking(left)} unless ${end} first` : "";
}

/** How many of the jobs that it holds are running. @param {any} worker */
export const runningOf = ({ jobs_in_progress: held, places, runs_alone: alone }) => Math.min(held, alone ? 1 : places);

/** What it runs: one job by its name, several by their number; empty if it runs none. @param {any} worker */
export const runsText = (worker) => (runningOf(worker) > 1 ? plural(runningOf(worker), "job") : worker.job ? `${worker.job.type} ${worker.job.id}` : "");

/** Why it cannot be restarted or drained; empty if it can. @param {any} worker */
export const awayText = ({ leaves, slot, pool }) => (leaves
  ? `It was scaled away and will not be replaced. To keep it, scale ${pool} to ${slot.slice(pool.length + 1)}.` : "");

/** How one of its processes failed, while that counts in the verdict; only of a slot that is ready, or is to be. @param {any} worker */
export function failureText({ state, last_failure: failed }) {
  return (state === "ready" || state === "starting") && failed && between(failed.at) < LATELY_S ? `failed ${ago(failed.at)}: ${failed.reason}` : "";
}

/** Why it is as it is, and for how much longer. @param {any} worker */
function whyText(worker) {
  const parts = [leftText(worker), worker.reason];
  return (worker.state === "starting" ? parts.reverse() : parts).filter(Boolean).join("; ");
}

/** The same without the time, for below a sentence that tells it. @param {any} worker */
export const causeText = (worker) => (["backoff", "fatal", "starting"].includes(worker.state) ? worker.reason : whyText(worker));

/** Whether another process will follow this one. @param {any} worker */
export const isReplaced = ({ order }) => order !== "drained" && order !== "scaled_away";

/** @type {any[]} */
let workers = [];

/** Learn how the workers are from a message just received. @param {any[]} told */
export function learnWorkers(told) { workers = told; }

/** "default-1 releases it in 4 min unless it ends first"; empty if its worker goes on, or it is not known which of several hosts it is on. @param {any} job */
export function takenText({ id, status, worker }) {
  if (status !== "in_progress") return "";
  const [own, ...others] = workers.filter(({ slot }) => slot === worker);
  if (!own || others.length || (own.places < 2 && String(own.job?.id) !== String(id))) return "";
  const left = releasesIn(own);
  return left ? `${worker} releases it in ${rounded(left)} unless it ends first` : "";
}
