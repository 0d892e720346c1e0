// What an operator can do to a job: cancel, run now, retry, edit and submit again, delete. Each action
// that changes the job asks for confirmation and a reason, and says what will happen.
import { byId, h } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { now } from "../base/time.js";
import { TERMINAL, plural, spaced } from "../base/words.js";

const RETRIED = new Set(["failed", "cancelled"]);
/** @type {any} the job as it was last read; the buttons may show an older state */
let shown = null;

/** @param {any} job @param {import("./graph.js").Graph} graph of the job @param {() => void} done called after the action succeeded */
export function showActions(job, graph, done) {
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
    ...actions.map(([action, label, disabled]) => h("button", { type: "button", disabled, "data-action": action, onclick: () => confirmAction(String(action), shown, graph, done) }, label)),
    h("a", { class: "button", href: `/ui/submit?from=${job.id}`, "data-action": "resubmit" }, "Edit and resubmit"));
  if (held) (bar.querySelector(`[data-action="${held}"]`) ?? bar.firstElementChild)?.focus();
}

const QUESTIONS = {
  cancel: (job) => ({ title: `Cancel job ${job.id}?`, yes: "Cancel the job", text: afterCancel(job) }),
  retry: (job, { before }) => ({ title: `Retry job ${job.id}?`, yes: "Retry the job", text: afterRetry(job, before) }),
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

/** What a retry does, if the jobs before this one stay as they are. */
function afterRetry(job, before) {
  const failed = before.find(({ status }) => RETRIED.has(status));
  if (failed && job.on_dependency_failure !== "run") return `It depends on job ${failed.id} (${failed.type}), which is ${spaced(failed.status)}. Until that one is retried, this one cannot be.`;
  const [first, ...more] = before.filter(({ status }) => !TERMINAL.has(status));
  const others = more.length ? ` and ${plural(more.length, "other job")} have` : " has";
  const when = first ? `waits until job ${first.id} (${first.type})${others} ended,` : "becomes due now";
  return `The job ${when} and can use all its attempts again. Its earlier attempts and its log are kept.`;
}

function confirmAction(action, job, graph, done) {
  confirm({ ...QUESTIONS[action](job, graph), path: action === "delete" ? `/jobs/${job.id}` : `/jobs/${job.id}/${action}`, done });
}
