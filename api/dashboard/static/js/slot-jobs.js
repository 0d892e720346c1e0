// The jobs that a worker runs at once, below its row: who restarts or drains it wants to know what it holds up.
import { arrange, h, setText } from "./dom.js";
import { request } from "./http.js";
import { Reading } from "./reading.js";
import { between } from "./time.js";
import { plural, ticking } from "./words.js";

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
    /** @type {Map<number, {node: any, ran: any, job: any}>} */
    this.rows = new Map();
  }

  /** @param {any} worker @param {boolean} isOpen @param {boolean} several whether there are other hosts: a job does not say on which its worker is */
  show({ jobs_in_progress: running, places }, isOpen, several) {
    this.node.hidden = !(running > 1) || several;
    if (this.node.hidden || !isOpen) return;
    setText(this.title, `Runs ${plural(running, "job")}, and may run ${places} at once`);
    this.reading.ifOlder(this.isCut ? RARELY_MS : EVERY_MS);
    for (const { ran, job } of this.rows.values()) setText(ran, ticking(between(job.started_at)));
  }

  async read() {
    try {
      const { items, next_cursor: next } = await request(`/jobs?status=in_progress&preview=true&limit=${MOST}`);
      this.isCut = next !== null;
      this.more.hidden = !this.isCut;
      const own = items.filter(({ worker, started_at: at }) => worker === this.slot && at);
      this.rows = new Map(own.map((job) => [job.id, this.rowOf(job)]));
      arrange(this.list, own.sort((a, b) => a.id - b.id).map(({ id }) => this.rows.get(id)?.node));
      return true;
    } catch { return false; } // the banner shows that nothing answers
  }

  /** The row of this attempt. @param {any} job */
  rowOf(job) {
    const known = this.rows.get(job.id);
    return known?.job.started_at === job.started_at ? known : makeRow(job);
  }
}

function makeRow(job) {
  const ran = h("small", {}, ticking(between(job.started_at)));
  return { job, ran, node: h("li", {}, h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", ran) };
}
