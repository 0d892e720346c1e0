// The state of a slot as signs and words, the same on the overview and on the page of a program.
import { ago, between } from "./time.js";
import { rounded } from "./words.js";

const ICONS = {
  ready: "ready", degraded: "degraded", starting: "starting", draining: "stopping", stopping: "stopping", killing: "failed",
  backoff: "backoff", fatal: "fatal", stuck: "fatal", down: "down",
};
const BAD = new Set(["backoff", "fatal", "stuck", "killing"]);
/** After so long a slot that was given up is tried once. */
const RETRY_S = 300;
/** Half of the default time after which it is taken for dead, as in the verdict. */
const SILENT_S = 7.5;

/** What it looks like: its state, or that it is ready but not well. @param {any} worker */
export const lookOf = (worker) => (worker.state === "ready" && (worker.degraded || isSilent(worker)) ? "degraded" : worker.state);

/** Whether it is ready, but has not been heard of for so long that the verdict names it. @param {any} worker */
export const isSilent = ({ state, heartbeat_age_s: age }) => state === "ready" && age !== null && age > SILENT_S;

/** @param {string} look */
export const iconOf = (look) => ICONS[look] ?? "down";

/** Whether somebody may have to look after it. @param {string} state */
export const isBad = (state) => BAD.has(state);

/** Who drained it, when and why, and first what is wrong with it; empty if nobody did. @param {any} worker */
export function drainedText({ drained, state, degraded, reason }) {
  if (!drained) return "";
  const isAsMeant = (state === "draining" || state === "down") && !degraded;
  const trouble = isAsMeant ? "" : reason.split("; ").slice(1).join("; "); // behind "drained"
  const by = `drained by ${drained.by} ${ago(drained.at)}${drained.reason ? `: ${drained.reason}` : ""}`;
  return trouble ? `${trouble}; ${by}` : by;
}

/** When a slot that was given up is tried again. @param {any} worker */
export function triesText({ last_exit: exit }) {
  const left = exit ? RETRY_S - between(exit.at) : 0;
  return `One try is made every 5 minutes${left > 0 ? `, the next in ${rounded(left)}` : ""}.`;
}
