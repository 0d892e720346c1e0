// The buttons "Cancel" and "Retry" of a job. Each asks for confirmation and says what will happen.
import { byId, h } from "./dom.js";
import { confirm } from "./confirm.js";
import { TERMINAL } from "./words.js";

const RETRIED = new Set(["failed", "cancelled"]);

/** @param {any} job @param {() => void} done called after the action succeeded */
export function showActions(job, done) {
  const actions = [];
  if (!TERMINAL.has(job.status)) actions.push(["cancel", job.cancel_requested ? "Cancel requested" : "Cancel …", job.cancel_requested]);
  if (RETRIED.has(job.status)) actions.push(["retry", "Retry …", false]);
  const bar = byId("actions");
  const key = actions.join();
  if (bar.dataset.key === key) return;
  bar.dataset.key = key;
  bar.replaceChildren(...actions.map(([action, label, disabled]) =>
    h("button", { type: "button", disabled, "data-action": action, onclick: () => confirmAction(action, job, done) }, label)));
}

function confirmAction(action, job, done) {
  const cancel = action === "cancel";
  confirm({
    title: cancel ? `Cancel job ${job.id}?` : `Retry job ${job.id}?`,
    text: !cancel ? "The job becomes due now and can use all its attempts again. Its earlier attempts and its log are kept."
      : job.status === "in_progress" ? `The job is running on ${job.worker}. It is asked to stop, and stopped by force if it does not.` : "The job has not started yet, and will not run.",
    yes: cancel ? "Cancel the job" : "Retry the job",
    path: `/jobs/${job.id}/${action}`,
    done,
  });
}
