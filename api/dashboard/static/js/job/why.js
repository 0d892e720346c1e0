// Why a job waits, in sentences, with links to what holds it back. Read again while it waits or runs.
import { byId, setText } from "../base/dom.js";
import { draw, html } from "../base/lit.js";
import { told } from "../base/linked.js";
import { request } from "../base/http.js";
import { WAITING, endedWithAnother, spaced } from "../base/words.js";

const EVERY_MS = 2000;
const WHILE_IT_RUNS_MS = 5000; // its worker may fall silent, which nothing else tells
const UNHEARD = new Set(["worker_gone", "worker_silent"]);
const ASKED = new Set([...WAITING, "in_progress"]); // a leased job may wait behind others of its worker

export class Why {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.cause = "";
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
    byId("why").hidden = !reasons.length;
    setText(byId("why-title"), title);
    draw(reasons.map((reason) => html`<li>${told(reason)}</li>`), byId("why-reasons"));
  }
}
