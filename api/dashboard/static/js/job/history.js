// What is read beside a job: what was done to it and why, the jobs made from it, the defaults of its type.
import { narrowed } from "../base/dom.js";
import { request } from "../base/http.js";
import { waitsSince } from "../base/time.js";
import { endedWithAnother } from "../base/words.js";
import { originTag } from "./resubmit.js";

const DONE_BY = { cancel: ["cancel requested", "cancelled"], retry: ["retried"], run: ["made due now"] };
const AGAIN = { cancel: "cancel requested again", run: "run now requested" };
const ONE_JOB = /^jobs? \d+$/; // a single job that was chosen in a list is "jobs 7"
const SAME_MS = 2000; // an event and its audit entry are of one transaction, and note their times one after the other
const EVENTS_AT_ONCE = 500;

/**
 * @typedef {{at: string, what: string, by: string | null, reason: string | null, target: string | null}} Mark
 * `target`: what an operator acted on, where it was more than this job
 */

export class History {
  /** @type {Mark[]} oldest first */
  marks = [];
  /** The newest jobs that were made from this one. @type {any[]} */
  resubmitted = [];
  /** The defaults of each job type. @type {Record<string, any>} */
  defaults = {};
  /** Attempt number -> since when it waited, if its start is among the events. @type {Map<number, string>} */
  dues = new Map();
  /** @type {any[]} */
  events = [];
  /** @type {any[]} of the audit log, newest first */
  entries = [];

  /** @param {string} id */
  constructor(id) { this.id = id; }

  /** Read all of it. A part that cannot be read stays as it was. */
  async read() {
    const { id } = this;
    await Promise.allSettled([
      this.readEvents(),
      narrowed || request(`/audit?job=${id}&limit=200`).then(({ items }) => { this.entries = items; }),
      request(`/jobs?tag=${originTag(id)}&preview=true&limit=10`).then(({ items }) => { this.resubmitted = items; }),
      Object.keys(this.defaults).length || request("/types", { exact: true }).then(({ items }) => { this.defaults = Object.fromEntries(items.map(({ name, defaults }) => [name, defaults])); }),
    ]);
    this.marks = marksOf(this.events, this.entries);
  }

  /** Read the events after the last one that is known. */
  async readEvents() {
    for (let more = true; more;) {
      const { items } = await request(`/jobs/${this.id}/events?after=${this.events.at(-1)?.seq ?? 0}`), last = this.events.at(-1)?.seq ?? 0;
      this.events.push(...items.filter(({ seq }) => seq > last)); // two reads at once may end in any order
      for (const { kind, job } of items) if (kind === "job.started") this.dues.set(job.attempt, waitsSince(job));
      more = items.length === EVENTS_AT_ONCE;
    }
  }
}

/** @param {any[]} events @param {any[]} entries @returns {Mark[]} */
function marksOf(events, entries) {
  /** @type {Mark[]} */
  const marks = [];
  const add = (/** @type {string} */ at, /** @type {string} */ what) => marks[marks.push({ at, what, by: null, reason: null, target: null }) - 1];
  let before = ""; // its status
  for (const event of events) {
    const what = wordOf(event, before);
    if (what) add(event.at, what);
    if (event.kind !== "job.progress") before = event.job.status;
  }
  for (const entry of [...entries].reverse()) {
    const { at, action, by, reason, target, after } = entry, mark = marks.find((mark) => !mark.by && isOf(entry, mark)) ?? add(at, AGAIN[action] ?? action);
    const step = / from the step .*$/s.exec(after ?? "")?.[0] ?? "";
    Object.assign(mark, { by, reason, what: mark.what + step, target: ONE_JOB.test(target) ? null : target });
  }
  return marks.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function wordOf({ kind, job }, before) {
  switch (kind) {
    case "job.unblocked": return before === "pending" ? "unblocked: its type was released" : `unblocked: ${+job.attempt ? "its wait is over" : "dependencies finished"}`;
    case "job.cancel_requested": return "cancel requested";
    case "job.requeued": return ["done", "failed", "cancelled"].includes(before) ? "retried" : "made due now";
    case "job.cancelled": case "job.failed":
      if (endedWithAnother(job)) return `${job.status}: ${job.error.message}`;
      // After a request to cancel, the attempt shows how it ended.
      return kind === "job.cancelled" && !job.started_at ? "cancelled" : "";
  }
  return "";
}

/** Whether the entry can be about the mark. An entry about many jobs has the time of the first. */
function isOf({ action, at, target }, mark) {
  const later = Date.parse(mark.at) - Date.parse(at);
  return !!DONE_BY[action]?.includes(mark.what) && later > -SAME_MS && (later < SAME_MS || !target.startsWith("job "));
}
