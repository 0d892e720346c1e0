// Cancel and retry, each asked for once more in words that say what it will do.
import { byId, h } from "./dom.js";
import { confirm } from "./confirm.js";
import { TERMINAL } from "./words.js";

const RETRIED = new Set(["failed", "cancelled"]);

/** @param {any} job @param {() => void} done what to do when it was done */
export function showActions(job, done) {
  const actions = [];
  if (!TERMINAL.has(job.status)) actions.push(["cancel", job.cancel_requested ? "Cancel was asked for" : "Cancel …", job.cancel_requested]);
  if (RETRIED.has(job.status)) actions.push(["retry", "Retry …", false]);
  const bar = byId("actions");
  const key = actions.join();
  if (bar.dataset.key === key) return;
  bar.dataset.key = key;
  bar.replaceChildren(...actions.map(([action, label, disabled]) =>
    h("button", { type: "button", disabled, "data-action": action, onclick: () => question(action, job, done) }, label)));
}

function question(action, job, done) {
  const cancel = action === "cancel";
  confirm({
    title: cancel ? `Cancel job ${job.id}?` : `Retry job ${job.id}?`,
    text: !cancel ? "It is due at once and gets all its attempts again; what happened so far stays to be read."
      : job.status === "in_progress" ? `It runs on ${job.worker}. It is asked to stop, and is stopped if it does not.` : "It has not started, and will not.",
    yes: cancel ? "Cancel the job" : "Retry the job",
    path: `/jobs/${job.id}/${action}`,
    done,
  });
}
