// What happened to a job besides its attempts: what operators did and why, and what other jobs caused.
// Pure: events and entries of the audit log in, marks for the timeline out.

const DONE_BY = { cancel: ["cancel requested", "cancelled"], retry: ["retried"], run: ["made due now"] };
const ONE_JOB = /^jobs? \d+$/; // a single job that was chosen in a list is "jobs 7"
const SAME_MS = 2000; // an event and its audit entry are of one transaction, and note their times one after the other

/**
 * @typedef {{at: string, what: string, by: string | null, reason: string | null, target: string | null}} Mark
 * `target`: what an operator acted on, where it was more than this job
 */

/**
 * Return the marks, oldest first.
 * @param {any[]} events of the job @param {any[]} entries of the audit log about it, newest first
 * @returns {Mark[]}
 */
export function marksOf(events, entries) {
  const marks = [];
  let before = ""; // its status
  for (const event of events) {
    const what = wordOf(event, before);
    if (what) marks.push({ at: event.at, what, by: null, reason: null, target: null });
    if (event.kind !== "job.progress") before = event.job.status;
  }
  for (const entry of [...entries].reverse()) {
    const one = marks.find((mark) => !mark.by && isOf(entry, mark)) ?? add(marks, entry);
    one.by = entry.by;
    one.reason = entry.reason;
    if (!ONE_JOB.test(entry.target)) one.target = entry.target;
  }
  return marks.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/**
 * Add the events that are newer than the last one, and return all: two readings at once may end in any order.
 * @param {any[]} events @param {any[]} read
 */
export function addNewer(events, read) {
  const last = events.at(-1)?.seq ?? 0;
  events.push(...read.filter((event) => event.seq > last));
  return events;
}

function wordOf({ kind, job }, before) {
  switch (kind) {
    case "job.unblocked": return before === "pending" ? "unblocked: its type was released" : "unblocked: what it waited for has ended";
    case "job.cancel_requested": return "cancel requested";
    case "job.requeued": return ["done", "failed", "cancelled"].includes(before) ? "retried" : "made due now";
    case "job.cancelled": case "job.failed":
      if (job.error?.type === "DependencyFailed" && !(kind === "job.cancelled" && job.cancel_requested)) return `${job.status}: ${job.error.message}`;
      // After a request to cancel, the attempt tells how it ended.
      return kind === "job.cancelled" && !job.started_at ? "cancelled" : "";
  }
  return "";
}

/** Whether the entry can be about the mark. An entry about many jobs has the time of the first. */
function isOf({ action, at, target }, mark) {
  const later = Date.parse(mark.at) - Date.parse(at);
  return !!DONE_BY[action]?.includes(mark.what) && later > -SAME_MS && (later < SAME_MS || !target.startsWith("job "));
}

function add(marks, { action, at }) {
  const mark = { at, what: { cancel: "cancel requested again", run: "run now requested" }[action] ?? action, by: null, reason: null, target: null };
  marks.push(mark);
  return mark;
}
