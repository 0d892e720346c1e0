// The jobs that were submitted on this page, each with its status until it ends, and why it waits.
import { byId, h, icon } from "../base/dom.js";
import { writeExact } from "../base/exact.js";
import { request } from "../base/http.js";
import { told } from "../job/why.js";
import { TERMINAL, WAITING, spaced } from "../base/words.js";

const MOST_WAITING = 3; // a browser makes six requests of a host at once, and the page needs some itself
const AGAIN_MS = 2000; // times the number of jobs followed, so that many cause no more calls than one
let waiting = 0, followed = 0;

/** @param {any} job @param {boolean} isNew false: a live job with its unique key was there already */
export async function follow(job, isNew) {
  byId("none-sent").hidden = true;
  const state = h("span", { class: "status" }), why = h("p", { class: "hint" });
  byId("sent").prepend(h("li", {}, h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", state, why,
    !isNew && h("p", { class: "hint" }, "No new job: this one was there already, and has its unique_key.")));
  followed++;
  show(state, why, job);
  tellWhy(job.id, state, why);
  for (; !TERMINAL.has(job.status); show(state, why, job)) {
    try { job = await next(job.id); } catch (error) {
      if (error.status === 404) { state.dataset.status = "deleted"; state.replaceChildren("deleted"); why.replaceChildren(); break; }
      await later(); // Orpheus may just be restarting
    }
  }
  followed--;
}

/** Return a job once it has ended, or after a while. @param {number} id */
async function next(id) {
  if (waiting === MOST_WAITING) {
    await later();
    return request(`/jobs/${id}`, { exact: true });
  }
  waiting++;
  try { return await request(`/jobs/${id}?wait=30`, { exact: true }); } finally { waiting--; }
}

/** Say why a job waits, for as long as it does: the first reason. @param {number} id @param {HTMLElement} state @param {HTMLElement} why */
async function tellWhy(id, state, why) {
  const isWaiting = () => WAITING.has(state.dataset.status ?? "");
  while (isWaiting()) {
    await later();
    try {
      const { reasons } = await request(`/jobs/${id}/why`);
      if (isWaiting()) why.replaceChildren(...reasons.slice(0, 1).flatMap(told));
    } catch { /* the status tells more */ }
  }
}

async function later() {
  await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS * followed); });
  if (document.hidden) await new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
}

function show(state, why, { status, result, error }) {
  state.dataset.status = status;
  if (!WAITING.has(status)) why.replaceChildren();
  const outcome = status === "done" ? h("code", {}, ` ${writeExact(result).slice(0, 200)}`) : error ? ` ${error.type}: ${error.message}` : "";
  state.replaceChildren(icon(status), spaced(status), outcome);
}
