// Why a job waits, in sentences, with links to what holds it back. Read again while it waits or runs.
import { byId, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { told } from "../base/linked.js";
import { draw, html } from "../base/lit.js";
import { TERMINAL, endedWithAnother, spaced } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";

const UNHEARD = new Set(["worker_gone", "worker_silent"]);

export class Why {
  /** @param {() => void} foundSteps called if the job has steps */
  constructor(foundSteps) {
    this.foundSteps = foundSteps;
    /** When the job ended whose end is shown. */
    this.end = "";
    this.refresh = new Refresh((signal) => this.read(signal), { every: 2000, told: () => {} }); // if the connection is lost, the stream says so
  }

  /** Show why this job waits, or who or what ended it. @param {any} job */
  show(job) {
    this.job = job;
    this.refresh.now();
  }

  /** Show it for the first time. @param {any} job @param {AbortSignal} signal */
  async begin(job, signal) {
    this.job = job;
    await this.read(signal);
    this.refresh.schedule();
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    if (!this.job) return;
    const { id, status, finished_at: end, cancel_requested: isAsked } = this.job, isOver = TERMINAL.has(status);
    if (isOver && end === this.end) return;
    const asks = !isOver || endedWithAnother(this.job) || (status === "cancelled" && isAsked);
    const { runs, reasons, has_steps: hasSteps } = asks ? await request(`/jobs/${id}/why`, { signal }) : { runs: false, reasons: [], has_steps: false };
    if (signal.aborted || (!isOver && reasons[0]?.code === "ended")) return;
    this.end = isOver ? end : "";
    if (hasSteps && !this.job.has_steps) this.foundSteps();
    const shown = runs && status !== "in_progress" ? [{ text: "a free worker takes it next" }] : reasons;
    byId("why").hidden = !shown.length;
    setText(byId("why-title"), isOver ? `Why it is ${spaced(status)}` : UNHEARD.has(reasons[0]?.code) ? "Why it may not run" : "Why it waits");
    draw(shown.map((reason) => html`<li>${told(reason)}</li>`), byId("why-reasons"));
  }
}
