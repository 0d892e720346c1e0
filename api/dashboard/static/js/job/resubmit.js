// The request that submits a job like another one: as a curl command, and in the form of /ui/submit (`?from=ID`).
import { base } from "../base/base.js";
import { byId, h } from "../base/dom.js";
import { request } from "../base/http.js";
import { now } from "../base/time.js";

const ORIGIN = /^resubmitted-from-(\d+)$/;
/** Tags that say where a job came from: an edited job, a schedule. They are not true of a copy. */
const NOT_COPIED = /^(resubmitted-from-\d+$|schedule-)/;

/** The tag that leads from a job to the one whose request was edited. @param {string | number} id */
export const originTag = (id) => `resubmitted-from-${id}`;

/** The id of the job that this one was made from; null if it was submitted anew. @param {string[]} tags */
export const originOf = (tags) => tags.map((tag) => ORIGIN.exec(tag)?.[1]).find(Boolean) ?? null;

/**
 * Return the body for POST /jobs: what differs from the defaults, and the job's time if that has not come.
 * @param {any} job @param {{queue: string, max_retries: number, timeout: number} | undefined} defaults of its type; undefined: the body has everything
 */
export function sameRequest(job, defaults) {
  const body = { type: job.type, payload: job.payload }, tags = job.tags.filter((tag) => !NOT_COPIED.test(tag));
  const differs = (name) => !defaults || String(job[name]) !== String(defaults[name]);
  if (defaults ? differs("queue") : job.queue !== "default") body.queue = job.queue;
  if (+job.priority) body.priority = job.priority;
  if (job.attempt === 0 && Date.parse(job.run_at) > now()) body.run_at = job.run_at;
  if (differs("max_retries")) body.max_retries = job.max_retries;
  if (!defaults || +job.timeout !== +defaults.timeout) body.timeout = +job.timeout;
  for (const name of ["unique_key", "concurrency_key"]) if (job[name]) body[name] = job[name];
  if (tags.length) body.tags = tags;
  if (job.depends_on.length) body.depends_on = job.depends_on;
  if (job.on_dependency_failure !== "cancel") body.on_dependency_failure = job.on_dependency_failure;
  return body;
}

/**
 * Return the job that the page's address names, as a request whose tags lead back to it; null if the
 * address names none. Throws Problem if the job does not exist.
 * @param {any[]} types of GET /types
 */
export async function readOrigin(types) {
  const id = new URLSearchParams(location.search).get("from");
  if (!id) return null;
  const job = await request(`/jobs/${encodeURIComponent(id)}`, { exact: true });
  const body = sameRequest(job, types.find(({ name }) => name === job.type)?.defaults);
  return { id, body: { ...body, tags: [...(body.tags ?? []), originTag(id)] } };
}

/** Say which job the form was filled from. @param {string} id @param {string} type @param {string} more */
export function showOrigin(id, type, more) {
  byId("form").prepend(h("p", { class: "notice", id: "origin" }, "Filled in from ", h("a", { href: `${base}/ui/jobs/${id}` }, `job ${id}`), ` (${type}), which stays as it is. The new job gets the tag ${originTag(id)}.${more}`));
}
