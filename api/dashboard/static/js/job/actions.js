// What an operator can do to a job: send the signal that it waits for, run it now, cancel, retry, delete, edit and submit again. Each action that changes
// the job asks for confirmation and a reason, and says what will happen.
import { base } from "../base/base.js";
import { byId } from "../base/dom.js";
import { draw, html } from "../base/lit.js";
import { now } from "../base/time.js";
import { TERMINAL, listed } from "../base/words.js";
import { confirm, killedAfter } from "../frame/confirm.js";

const QUESTIONS = {
  signal: (_job, { signal, key }) => ({
    title: `Send the signal ${signal}?`, yes: "Send the signal", path: "/signals", body: { name: signal, key }, asksForPayload: true,
    text: `Every job that waits for it with the key ${key} goes on, and gets the payload. It can be sent only once.`,
  }),
  wake: ({ id }, { name }) => ({
    title: `Wake job ${id} now?`, yes: "Wake the job", path: `/jobs/${id}/run`,
    text: `Its sleep (${name}) ends now, and it goes on behind it.`,
  }),
  run: ({ id, attempt }) => ({
    title: `Run job ${id} now?`, yes: "Run the job now",
    text: attempt ? "It no longer waits for its next attempt." : "It becomes due now. Anything else that holds it back, such as a paused queue, still does.",
  }),
  cancel: async ({ id, status, worker, attempt, has_steps: hasSteps }) => ({
    title: `Cancel job ${id}?`, yes: "Cancel the job", no: status === "in_progress" ? "Keep running" : "Keep it",
    text: status === "in_progress" ? `It is running on ${worker}. It will be asked to stop, then killed after ${await killedAfter()}.` : attempt ? `It will not run again.${hasSteps && status === "blocked" ? " Its children that have not ended are cancelled, too." : ""}` : "It has not started yet and will not run.",
  }),
  retry: ({ id, has_steps: hasSteps }) => ({
    title: `Retry job ${id}?`, yes: "Retry the job",
    text: `It becomes due now, or waits for its dependencies, and can use all its attempts again. Earlier attempts and the log are kept.${hasSteps ? " The steps that it has kept are not done again." : ""}`,
  }),
  delete: ({ id }) => ({
    title: `Delete job ${id}?`, yes: "Delete the job", method: "DELETE",
    text: "Its attempts and log are deleted too. This cannot be undone.",
  }),
};
const WORDS = { signal: "Send signal …", wake: "Wake now …", run: "Run now …", cancel: "Cancel …", retry: "Retry …", delete: "Delete …" };

/** @param {any} job @param {import("./steps.js").Steps} steps @param {() => void} done called after the action succeeded */
export function showActions(job, steps, done) {
  const bar = byId("actions"), isOver = TERMINAL.has(job.status), sleep = steps.sleep(job);
  const possible = { signal: steps.awaited(job), wake: sleep, run: !sleep && job.status === "pending" && Date.parse(job.run_at) > now(), cancel: !isOver, retry: isOver && job.status !== "done", delete: isOver };
  const ask = async (/** @type {string} */ name) => confirm({ path: `/jobs/${job.id}${name === "delete" ? "" : `/${name}`}`, ...await QUESTIONS[name](job, possible[name]), done });
  const held = bar.contains(document.activeElement) && /** @type {any} */ (document.activeElement).dataset.action;
  draw(html`${Object.keys(WORDS).filter((name) => possible[name]).map((name) => html`<button type="button" data-action=${name} data-needs=${name === "signal" ? "submitter everything" : "operator"} ?disabled=${name === "cancel" && job.cancel_requested} @click=${() => ask(name)}>${
    name === "cancel" && job.cancel_requested ? "Cancel requested" : WORDS[name]}</button>`)}<a class="button" href="${base}/ui/submit?from=${job.id}" data-action="resubmit" data-needs="submitter">Edit and resubmit</a>`, bar);
  // A button may have become another one: the focus follows its action, and never lands on Delete.
  if (held && /** @type {any} */ (document.activeElement).dataset.action !== held) (bar.querySelector(`[data-action="${held}"]`) ?? byId("job-title")).focus({ preventScroll: true });
}

/** Ask whether to do a step of a job and the later ones again. @param {any} job @param {any[]} steps all of them @param {any} step @param {() => void} done */
export function askRetryFrom({ id }, steps, { name }, done) {
  const forgotten = steps.slice(steps.findIndex((step) => step.name === name)), later = forgotten.slice(1).map((step) => step.name);
  const children = forgotten.some(({ kind }) => kind === "gather") ? " Its children are submitted again." : "";
  confirm({
    title: `Retry job ${id} from “${name}”?`, yes: "Retry the job", path: `/jobs/${id}/retry`, body: { from_step: name }, done,
    text: `It forgets “${name}”${later.length ? ` and what it kept afterwards (${listed(later, 5)})` : ""}, and does ${later.length ? "them" : "it"} again. What it kept before is not done again.${children}`,
  });
}
