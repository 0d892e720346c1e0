// What an operator can do to a job: run it now, cancel, retry, delete, edit and submit again. Each action that changes
// the job asks for confirmation and a reason, and says what will happen.
import { byId } from "../base/dom.js";
import { draw, html } from "../base/lit.js";
import { now } from "../base/time.js";
import { TERMINAL } from "../base/words.js";
import { confirm, killedAfter } from "../frame/confirm.js";

const QUESTIONS = {
  run: ({ id, attempt }) => ({
    title: `Run job ${id} now?`, yes: "Run the job now",
    text: attempt ? "It no longer waits for its next attempt." : "It becomes due now. Anything else that holds it back, such as a paused queue, still does.",
  }),
  cancel: async ({ id, status, worker, attempt }) => ({
    title: `Cancel job ${id}?`, yes: "Cancel the job", no: status === "in_progress" ? "Keep running" : "Keep it",
    text: status === "in_progress" ? `It is running on ${worker}. It will be asked to stop, then killed after ${await killedAfter()}.` : attempt ? "It will not run again." : "It has not started yet and will not run.",
  }),
  retry: ({ id }) => ({
    title: `Retry job ${id}?`, yes: "Retry the job",
    text: "It becomes due now, or waits for its dependencies, and can use all its attempts again. Earlier attempts and the log are kept.",
  }),
  delete: ({ id }) => ({
    title: `Delete job ${id}?`, yes: "Delete the job", method: "DELETE",
    text: "Its attempts and log are deleted too. This cannot be undone.",
  }),
};
const WORDS = { run: "Run now …", cancel: "Cancel …", retry: "Retry …", delete: "Delete …" };

/** @param {any} job @param {() => void} done called after the action succeeded */
export function showActions(job, done) {
  const bar = byId("actions"), isOver = TERMINAL.has(job.status);
  const possible = { run: job.status === "pending" && Date.parse(job.run_at) > now(), cancel: !isOver, retry: isOver && job.status !== "done", delete: isOver };
  const ask = async (/** @type {string} */ name) => confirm({ ...await QUESTIONS[name](job), path: `/jobs/${job.id}${name === "delete" ? "" : `/${name}`}`, done });
  const held = bar.contains(document.activeElement) && /** @type {any} */ (document.activeElement).dataset.action;
  draw(html`${Object.keys(WORDS).filter((name) => possible[name]).map((name) => html`<button type="button" data-action=${name} ?disabled=${name === "cancel" && job.cancel_requested} @click=${() => ask(name)}>${
    name === "cancel" && job.cancel_requested ? "Cancel requested" : WORDS[name]}</button>`)}<a class="button" href="/ui/submit?from=${job.id}" data-action="resubmit">Edit and resubmit</a>`, bar);
  // A button may have become another one: the focus follows its action, and never lands on Delete.
  if (held && /** @type {any} */ (document.activeElement).dataset.action !== held) (bar.querySelector(`[data-action="${held}"]`) ?? byId("job-title")).focus({ preventScroll: true });
}
