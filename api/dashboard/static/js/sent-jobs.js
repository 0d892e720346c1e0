// The jobs that were submitted on this page, each with its status until it ends.
import { byId, h, icon } from "./dom.js";
import { writeExact } from "./exact.js";
import { request } from "./http.js";
import { TERMINAL, spaced } from "./words.js";

const MOST_FAILURES = 5; // of requests in a row, before a job is followed no more
const RETRY_MS = 2000;

/** @param {any} job @param {boolean} isNew false: a live job with its unique key was there already */
export async function follow(job, isNew) {
  byId("none-sent").hidden = true;
  const state = h("span", { class: "status" });
  byId("sent").prepend(h("li", {}, h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", state,
    !isNew && h("p", { class: "hint" }, "No new job: this one was there already, and has its unique_key.")));
  for (let failures = 0; failures < MOST_FAILURES;) {
    show(state, job);
    if (TERMINAL.has(job.status)) return;
    try { job = await request(`/jobs/${job.id}?wait=30`, { exact: true }); } catch {
      failures++;
      await new Promise((later) => setTimeout(later, RETRY_MS));
    }
  }
}

function show(state, { status, result, error }) {
  state.dataset.status = status;
  const outcome = status === "done" ? h("code", {}, ` ${writeExact(result).slice(0, 200)}`) : error ? ` ${error.type}: ${error.message}` : "";
  state.replaceChildren(icon(status), spaced(status), outcome);
}
