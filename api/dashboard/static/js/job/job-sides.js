// What is shown beside a job on its page: what was done to it, the jobs made from it, the defaults of its type.
import { addNewer, marksOf } from "./history.js";
import { request } from "../base/http.js";
import { originTag } from "./same-request.js";
import { waitsSince } from "../base/time.js";

const EVENTS_AT_ONCE = 500;

export class JobSides {
  /** @type {import("./history.js").Mark[]} */
  marks = [];
  /** The newest jobs that were made from this one. @type {any[]} */
  resubmitted = [];
  /** The defaults of each job type. @type {Record<string, any>} */
  defaults = {};
  /** All events so far. @type {any[]} */
  events = [];
  /** Attempt number -> since when it waited, if its start is among the events. @type {Map<number, string>} */
  dues = new Map();
  /** The entries of the audit log. @type {any[]} */
  entries = [];

  /** @param {string} id */
  constructor(id) { this.id = id; }

  /** Read all of it. A part that cannot be read stays as it was. */
  async read() {
    await Promise.allSettled([this.readEvents(), this.readEntries(), this.readResubmitted(), this.readDefaults()]);
    this.marks = marksOf(this.events, this.entries);
  }

  /** Read the events after the last one that is known. */
  async readEvents() {
    for (let more = true; more;) {
      const { items } = await request(`/jobs/${this.id}/events?after=${this.events.at(-1)?.seq ?? 0}`);
      addNewer(this.events, items);
      for (const { kind, job } of items) if (kind === "job.started") this.dues.set(job.attempt, waitsSince(job));
      more = items.length === EVENTS_AT_ONCE;
    }
  }

  async readEntries() { this.entries = (await request(`/audit?job=${this.id}&limit=200`)).items; }

  async readResubmitted() { this.resubmitted = (await request(`/jobs?tag=${originTag(this.id)}&preview=true&limit=10`)).items; }

  async readDefaults() {
    if (Object.keys(this.defaults).length) return;
    const { items } = await request("/types", { exact: true });
    this.defaults = Object.fromEntries(items.map((/** @type {any} */ type) => [type.name, type.defaults]));
  }
}
