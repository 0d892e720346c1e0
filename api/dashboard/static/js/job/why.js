// Why a job waits, in sentences, with links to what holds it back. Read again while it waits or runs.
import { byId, h, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { timeNode } from "../base/time.js";
import { WAITING, endedWithAnother, spaced } from "../base/words.js";

const EVERY_MS = 2000;
const WHILE_IT_RUNS_MS = 5000; // its worker may fall silent, which nothing else tells
const UNHEARD = new Set(["worker_gone", "worker_silent"]);
const LINKED = /job (\d+)|queue ([A-Za-z0-9][A-Za-z0-9_.-]*)|type ([A-Za-z0-9][A-Za-z0-9_.-]*)(?= is quarantined)/g;
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
    if (endedWithAnother(job) || (job.status === "cancelled" && job.cancel_requested)) this.showEnd();
    else this.paint("", []);
  }

  /** Show why it ended without a failure of its own: the server knows who cancelled it, and which job to retry first. */
  async showEnd() {
    const { finished_at: end, status } = this.job;
    if (end === this.cause) return;
    this.cause = end;
    this.paint("", []);
    const answer = await request(`/jobs/${this.id}/why`).catch(() => null); // deleted, or not to be read now
    if (this.cause === end && this.job.finished_at === end) this.paint(`Why it is ${spaced(status)}`, answer?.reasons ?? []);
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
