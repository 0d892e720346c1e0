// Why a job waits, in sentences, with links to what holds it back. Read again while it waits or runs.
import { byId, h, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { timeNode } from "../base/time.js";
import { WAITING, endedWithAnother, spaced } from "../base/words.js";

const EVERY_MS = 2000;
const WHILE_IT_RUNS_MS = 5000; // its worker may fall silent, which nothing else tells
const UNHEARD = new Set(["worker_gone", "worker_silent"]);
const LINKED = /job (\d+)|queue ([A-Za-z0-9][A-Za-z0-9_.-]*)|type ([A-Za-z0-9][A-Za-z0-9_.-]*)(?= is quarantined)/g;
const DEPENDENCY = "DependencyFailed";
const BEFORE = /^it depended on a job: job (\d+) is/;
const MOST_STEPS = 50;
const ASKED = new Set([...WAITING, "in_progress"]); // a leased job may wait behind others of its worker

export class Why {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.shown = this.cause = "";
    document.addEventListener("visibilitychange", () => this.read());
  }

  /** Show why this job waits, or why it never ran. @param {any} job */
  show(job) {
    this.job = job;
    if (ASKED.has(job.status)) { this.cause = ""; this.read(); return; }
    clearTimeout(this.timer);
    const { error, status } = job;
    if (endedWithAnother(job)) this.showCause(`Why it is ${spaced(status)}`, error.message);
    else if (status === "cancelled" && job.cancel_requested) this.showCanceller();
    else this.paint("", []);
  }

  /** Show which job it depended on, and with which job the trouble began. @param {string} title @param {string} message */
  async showCause(title, message) {
    if (message === this.cause) return;
    this.cause = message;
    this.paint(title, [{ text: message }]);
    const first = await firstCause(message).catch(() => null); // deleted, or not to be read now
    if (first && this.cause === message && this.job.error?.message === message) this.paint(title, [{ text: message }, { text: first }]);
  }

  /** Show who cancelled it: the server knows. */
  async showCanceller() {
    const { finished_at: end } = this.job;
    if (end === this.cause) return;
    this.cause = end;
    this.paint("", []);
    const answer = await request(`/jobs/${this.id}/why`).catch(() => null); // deleted, or not to be read now
    if (this.cause === end && this.job.finished_at === end) this.paint("Why it is cancelled", answer?.reasons ?? []);
  }

  async read() {
    clearTimeout(this.timer);
    if (document.hidden || this.reading || !ASKED.has(this.job?.status)) return;
    this.reading = true;
    let isRunning = false;
    try {
      const { runs, reasons } = await request(`/jobs/${this.id}/why`);
      const { status } = this.job; // it may have ended meanwhile
      isRunning = runs && status === "in_progress";
      const next = runs && !isRunning ? [{ text: "a free worker takes it next" }] : reasons;
      const title = UNHEARD.has(reasons[0]?.code) ? "Why it may not run" : "Why it waits";
      if (ASKED.has(status) && reasons[0]?.code !== "ended") this.paint(title, next);
    } catch (error) {
      if (!("status" in error)) reportError(error); // if the connection is lost, the stream tells it
    }
    this.reading = false;
    if (ASKED.has(this.job.status)) this.timer = setTimeout(() => this.read(), isRunning ? WHILE_IT_RUNS_MS : EVERY_MS);
  }

  /** @param {string} title @param {{text: string, until?: string | null}[]} reasons */
  paint(title, reasons) {
    const key = JSON.stringify([title, reasons]);
    if (key === this.shown) return; // keep a selection and the focus
    this.shown = key;
    byId("why").hidden = !reasons.length;
    setText(byId("why-title"), title);
    byId("why-reasons").replaceChildren(...reasons.map((one) => h("li", {}, ...told(one))));
  }
}

/** Follow the dependencies back to the job that itself did not end done. @param {string} message @returns {Promise<string | null>} */
async function firstCause(message) {
  let job, steps = 0;
  for (let id = BEFORE.exec(message)?.[1]; id && steps < MOST_STEPS; steps++) {
    job = await request(`/jobs/${id}`);
    id = job.error?.type === DEPENDENCY ? BEFORE.exec(job.error.message)?.[1] : undefined;
  }
  if (!job || (steps < 2 && !job.error)) return null;
  const how = job.error ? `: ${job.error.type}: ${job.error.message.split("\n", 1)[0]}` : "";
  return `it began with job ${job.id} (${job.type}), which is ${spaced(job.status)}${how}`;
}

/** A reason with links, and until when. @param {{text: string, until?: string | null}} reason @returns {any[]} */
export const told = ({ text, until }) =>
  [...linked(text), until && h("span", { class: "until" }, ", until ", timeNode(until, "short"), " (", timeNode(until, "relative"), ")")].filter(Boolean);

/** Text whose first letter is a capital, with links to the jobs, queues and quarantined types that it names. @param {string} text @returns {any[]} */
export function linked(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINKED)) {
    parts.push(text.slice(end, match.index));
    const [all, job, queue, type] = match;
    parts.push(job ? h("a", { href: `/ui/jobs/${job}` }, all) : queue ? h("span", {}, "queue ", h("a", { href: `/ui/queues#queue-${queue}` }, queue))
      : h("span", {}, "type ", h("a", { href: `/ui/types#type-${type}` }, type)));
    end = match.index + all.length;
  }
  parts.push(text.slice(end));
  const first = parts.findIndex((part) => typeof part === "string" && part);
  if (first === 0) parts[0] = parts[0][0].toUpperCase() + parts[0].slice(1);
  return parts;
}
