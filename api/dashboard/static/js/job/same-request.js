// The request that submits a job like another one: what differs from the defaults of its type. Pure.

const ORIGIN = /^resubmitted-from-(\d+)$/;
/** Tags that say where a job came from: an edited job, a schedule. They are not true of a copy. */
const NOT_COPIED = /^(resubmitted-from-\d+$|schedule-)/;

/** The tag that leads from a job to the one whose request was edited. @param {string | number} id */
export const originTag = (id) => `resubmitted-from-${id}`;

/** The id of the job that this one was made from; null if it was submitted anew. @param {string[]} tags */
export const originOf = (tags) => tags.map((tag) => ORIGIN.exec(tag)?.[1]).find(Boolean) ?? null;

/**
 * Return the body for POST /jobs. It has the job's time only if that has not come.
 * @param {any} job @param {{queue: string, max_retries: number, timeout: number} | undefined} defaults of its type; undefined: the body has everything
 * @param {number} nowMs
 */
export function sameRequest(job, defaults, nowMs) {
  const body = { type: job.type, payload: job.payload };
  const differs = (name) => !defaults || String(job[name]) !== String(defaults[name]);
  if (defaults ? differs("queue") : job.queue !== "default") body.queue = job.queue;
  if (+job.priority) body.priority = job.priority;
  if (job.attempt === 0 && Date.parse(job.run_at) > nowMs) body.run_at = job.run_at;
  if (differs("max_retries")) body.max_retries = job.max_retries;
  if (!defaults || +job.timeout !== +defaults.timeout) body.timeout = +job.timeout;
  if (job.unique_key) body.unique_key = job.unique_key;
  if (job.concurrency_key) body.concurrency_key = job.concurrency_key;
  const tags = job.tags.filter((tag) => !NOT_COPIED.test(tag));
  if (tags.length) body.tags = tags;
  if (job.depends_on.length) body.depends_on = job.depends_on;
  if (job.on_dependency_failure !== "cancel") body.on_dependency_failure = job.on_dependency_failure;
  return body;
}
