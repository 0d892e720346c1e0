// Cancel and retry, each asked for once more in words that say what it will do.
import { byId, h, say } from "./dom.js";
import { ask } from "./http.js";
import { postCurl } from "./curl.js";
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
    h("button", { type: "button", disabled, "data-action": action, onclick: () => confirm(action, job, done) }, label)));
}

function confirm(action, job, done) {
  const dialog = byId("confirm"), yes = byId("confirm-yes"), problem = byId("confirm-problem");
  const path = `/jobs/${job.id}/${action}`;
  say(byId("confirm-title"), action === "cancel" ? `Cancel job ${job.id}?` : `Retry job ${job.id}?`);
  say(byId("confirm-text"), action === "retry" ? "It is due at once and gets all its attempts again; what happened so far stays to be read."
    : job.status === "in_progress" ? `It runs on ${job.worker}. It is asked to stop, and is stopped if it does not.` : "It has not started, and will not.");
  say(byId("confirm-curl"), postCurl(path));
  say(yes, action === "cancel" ? "Cancel the job" : "Retry the job");
  problem.hidden = true;
  yes.onclick = async () => {
    yes.disabled = true;
    try {
      await ask(path, { method: "POST" });
      dialog.close();
      done();
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
    yes.disabled = false;
  };
  dialog.showModal();
}
