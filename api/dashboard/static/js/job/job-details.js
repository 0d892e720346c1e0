// The details of a job: where it runs, what it waits for, when what happened.
import { base } from "../base/base.js";
import { byId } from "../base/dom.js";
import { draw, html, jobsWith, nothing } from "../base/lit.js";
import { originOf } from "./resubmit.js";
import { workerLink } from "../lists/targets.js";
import { timeOf } from "../base/time.js";
import { count, tidy } from "../base/words.js";

const MOST_LINKS = 30;
const IF_ONE_FAILS = { cancel: "cancel this job", run: "run anyway", fail: "fail this job" };

/** Links to jobs: the first of them, and how many more there are. @param {any[]} ids */
const jobLinks = (ids, before = "") => html`<span class="ids">${ids.slice(0, MOST_LINKS).map((id) => html`<a href="${base}/ui/jobs/${id}">${before}${id}</a> `)}${
  ids.length > MOST_LINKS ? `and ${count(ids.length - MOST_LINKS)} more` : nothing}</span>`;

/** @param {any} job @param {any[]} resubmitted the jobs that were made from it */
export function showDetails(job, resubmitted) {
  const origin = originOf(job.tags), needs = job.depends_on.length > 0;
  const fact = (/** @type {string} */ name, /** @type {any} */ value) => (value ? html`<div><dt>${name}</dt><dd>${value}</dd></div>` : nothing);
  const time = (/** @type {string | null} */ at, /** @type {"exact" | "relative" | "ago"} */ form = "ago") => at && html`${timeOf(at, form)} <small>${timeOf(at, "exact")}</small>`;
  draw(html`
    ${fact("queue", html`<a href=${jobsWith({ queue: job.queue })}>${job.queue}</a>`)}
    ${fact("priority", +job.priority ? String(job.priority) : "")}
    ${fact("attempts", `${job.attempt}, max retries ${job.max_retries}`)}
    ${fact("timeout", tidy(+job.timeout))}
    ${fact("worker", job.worker && workerLink(job.worker))}
    ${fact("unique key", job.unique_key)}
    ${fact("concurrency key", job.concurrency_key)}
    ${fact("tags", job.tags.length && html`<span class="tags">${job.tags.map((/** @type {string} */ tag) => html`<a href=${jobsWith({ tag })}>${tag}</a>`)}</span>`)}
    ${fact("depends on", needs && jobLinks(job.depends_on))}
    ${fact("if one fails", needs && IF_ONE_FAILS[job.on_dependency_failure])}
    ${fact("made from", origin && html`<a href="${base}/ui/jobs/${origin}">job ${origin}</a>`)}
    ${fact("resubmitted", resubmitted.length && jobLinks(resubmitted.map(({ id }) => id), "as job "))}
    ${fact("last message", job.status === "done" && job.message)}
    ${fact("submitted", time(job.created_at))}
    ${fact("scheduled for", time(job.scheduled_at))}
    ${fact("due", time(job.run_at, "relative"))}
    ${fact("started", time(job.started_at))}
    ${fact("ended", time(job.finished_at))}`, byId("details"));
}
