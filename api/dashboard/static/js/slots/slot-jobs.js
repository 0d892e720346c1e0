// The jobs that a worker runs at once, below its row: whoever restarts or drains it wants to know what that delays.
import { arrange, h, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { Reading } from "../frame/reading.js";
import { between } from "../base/time.js";
import { count, percent, plural, ticking } from "../base/words.js";

const EVERY_MS = 1900; // asked with heartbeats
const MOST = 500;
const RARELY_MS = 9500; // where there are more

export class SlotJobs {
  /** @param {string} slot */
  constructor(slot) {
    this.slot = slot;
    this.title = h("h3", {});
    this.list = h("ul", { class: "running" });
    this.more = h("p", { class: "hint", hidden: true }, "Those submitted last. ", h("a", { href: "/ui/jobs?status=in_progress" }, "All jobs in progress"));
    this.node = h("div", { hidden: true }, this.title, this.list, this.more);
    this.reading = new Reading(() => this.read());
    /** @type {Map<number, JobLine>} */
    this.rows = new Map();
  }

  /** @param {any} worker @param {boolean} isOpen @param {boolean} several whether there are other hosts: a job does not say on which host its worker is */
  show({ jobs_in_progress: running, places, runs_alone: alone }, isOpen, several) {
    this.node.hidden = !(running > 1) || several;
    if (this.node.hidden || !isOpen) return;
    setText(this.title, alone ? `Holds ${count(running)} jobs, runs 1 alone` : running > places ? `Holds ${count(running)} jobs, runs ${count(places)} at once` : `Runs ${count(running)} of at most ${plural(places, "job")} at once`);
    this.reading.ifOlder(this.isCut ? RARELY_MS : EVERY_MS);
    this.rows.forEach((row) => row.tick());
  }

  async read() {
    const { items, next_cursor: next } = await request(`/jobs?status=in_progress&preview=true&limit=${MOST}`);
    this.isCut = next !== null;
    this.more.hidden = !this.isCut;
    const own = items.filter(({ worker, started_at: at }) => worker === this.slot && at).sort((a, b) => a.id - b.id);
    this.rows = new Map(own.map((job) => [job.id, this.rows.get(job.id) ?? new JobLine(job)]));
    for (const job of own) this.rows.get(job.id)?.show(job);
    arrange(this.list, [...this.rows.values()].map(({ node }) => node));
  }
}

class JobLine {
  /** @param {any} job */
  constructor({ id, type }) {
    this.facts = h("small", {});
    this.node = h("li", {}, h("a", { href: `/ui/jobs/${id}` }, `${type} ${id}`), " ", this.facts);
  }

  /** @param {any} job */
  show(job) {
    this.job = job;
    this.tick();
  }

  tick() {
    const { started_at: at, progress, message } = this.job;
    setText(this.facts, [ticking(between(at)), progress !== null && percent(progress), message].filter(Boolean).join(" · "));
  }
}
