// What an operator can do to a job: cancel, run now, retry, edit and submit again, delete. Each action
// that changes the job asks for confirmation and a reason, and says what will happen.
import { byId, h } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { now } from "../base/time.js";
import { TERMINAL } from "../base/words.js";

const RETRIED = new Set(["failed", "cancelled"]);
/** @type {any} the job as it was last read; the buttons may show an older state */
let shown = null;

/** @param {any} job @param {() => void} done called after the action succeeded */
export function showActions(job, done) {
  shown = job;
  const actions = [];
  const isEarly = job.status === "pending" && Date.parse(job.run_at) > now();
  if (isEarly) actions.push(["run", "Run now …", false]);
  if (!TERMINAL.has(job.status)) actions.push(["cancel", job.cancel_requested ? "Cancel requested" : "Cancel …", job.cancel_requested]);
  if (RETRIED.has(job.status)) actions.push(["retry", "Retry …", false]);
  if (TERMINAL.has(job.status)) actions.push(["delete", "Delete …", false]);
  const bar = byId("actions");
  const key = actions.join();
  if (bar.dataset.key === key) return;
  bar.dataset.key = key;
  const held = bar.contains(document.activeElement) ? document.activeElement?.getAttribute("data-action") : null;
  bar.replaceChildren(
    ...actions.map(([action, label, disabled]) => h("button", { type: "button", disabled, "data-action": action, onclick: () => confirmAction(String(action), shown, done) }, label)),
    h("a", { class: "button", href: `/ui/submit?from=${job.id}`, "data-action": "resubmit" }, "Edit and resubmit"));
  if (held) (bar.querySelector(`[data-action="${held}"]`) ?? bar.firstElementChild)?.focus();
}

const QUESTIONS = {
  cancel: (job) => ({ title: `Cancel job ${job.id}?`, yes: "Cancel the job", text: afterCancel(job) }),
  retry: (job) => ({
    title: `Retry job ${job.id}?`, yes: "Retry the job",
    text: "The job becomes due now, or waits for the jobs that it depends on, and can use all its attempts again. Its earlier attempts and its log are kept.",
  }),
  run: (job) => ({
    title: `Run job ${job.id} now?`, yes: "Run the job now",
    text: job.attempt ? "The job does not wait any longer for its next attempt." : "The job becomes due now. What else holds it back, such as a paused queue, still does.",
  }),
  delete: (job) => ({
    title: `Delete job ${job.id}?`, yes: "Delete the job", method: "DELETE",
    text: "The job, its attempts and its log are deleted. This cannot be undone.",
  }),
};

function afterCancel({ status, worker, attempt }) {
  if (status === "in_progress") return `The job is running on ${worker}. It is asked to stop, and stopped by force if it does not.`;
  return attempt ? "The job does not run now, and will not run again." : "The job has not started yet, and will not run.";
}

function confirmAction(action, job, done) {
  confirm({ ...QUESTIONS[action](job), path: action === "delete" ? `/jobs/${job.id}` : `/jobs/${job.id}/${action}`, done });
}
