// Edit and resubmit: the form of /ui/submit, filled with the request of another job (`?from=ID`).
import { byId, h } from "../base/dom.js";
import { request } from "../base/http.js";
import { originTag, sameRequest } from "./same-request.js";
import { now } from "../base/time.js";

/**
 * Return the job that the page's address names, as a request whose tags lead back to it; null if the
 * address names none. Throws Problem if the job does not exist.
 * @param {any[]} types of GET /types
 */
export async function readOrigin(types) {
  const id = new URLSearchParams(location.search).get("from");
  if (!id) return null;
  const job = await request(`/jobs/${encodeURIComponent(id)}`, { exact: true });
  const body = sameRequest(job, types.find(({ name }) => name === job.type)?.defaults, now());
  return { id, body: { ...body, tags: [...(body.tags ?? []), originTag(id)] } };
}

/** Say which job the form was filled from. @param {string} id @param {string} type */
export function showOrigin(id, type) {
  byId("form").prepend(h("p", { class: "notice", id: "origin" }, "Filled in from ",
    h("a", { href: `/ui/jobs/${id}` }, `job ${id}`), ` (${type}). That job stays as it is: this makes a new one, and its tag ${originTag(id)} links the two.`));
}
