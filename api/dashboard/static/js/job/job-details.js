// The details of a job: where it runs, what it waits for, when what happened.
import { arrange, byId, h } from "../base/dom.js";
import { originOf } from "./same-request.js";
import { workerLink } from "../lists/targets.js";
import { timeNode } from "../base/time.js";
import { count, duration } from "../base/words.js";

const MOST_LINKS = 30;

/** Links to jobs: the first of them, and how many more there are. @param {any[]} ids */
function jobLinks(ids, before = "") {
  const links = ids.slice(0, MOST_LINKS).flatMap((other) => [h("a", { href: `/ui/jobs/${other}` }, `${before}${other}`), " "]);
  return h("span", { class: "ids" }, ...links, ids.length > MOST_LINKS && `and ${count(ids.length - MOST_LINKS)} more`);
}

/** @param {any} job @param {any[]} resubmitted the jobs that were made from it */
export function showDetails(job, resubmitted) {
  const origin = originOf(job.tags);
  const facts = [
    ["queue", h("a", { href: `/ui/jobs?queue=${encodeURIComponent(job.queue)}` }, job.queue)],
    ["priority", String(job.priority)],
    ["attempts", String(job.attempt)],
    ["retries", `at most ${job.max_retries}`],
    ["timeout", duration(+job.timeout)],
    ["worker", job.worker && workerLink(job.worker)],
    ["unique key", job.unique_key],
    ["concurrency key", job.concurrency_key],
    ["tags", job.tags.length ? h("span", { class: "tags" }, ...job.tags.map((tag) => h("a", { href: `/ui/jobs?tag=${encodeURIComponent(tag)}` }, tag))) : null],
    ["after jobs", job.depends_on.length ? jobLinks(job.depends_on) : null],
    ["if one fails", job.depends_on.length ? { cancel: "it is cancelled", run: "it runs all the same", fail: "it fails" }[job.on_dependency_failure] : null],
    ["made from", origin && h("a", { href: `/ui/jobs/${origin}` }, `job ${origin}`)],
    ["resubmitted", resubmitted.length ? jobLinks(resubmitted.map((one) => one.id), "as job ") : null],
    ["last message", job.status === "done" && job.message],
    ["submitted", timeNode(job.created_at)],
    ["due", timeNode(job.run_at, "relative")],
    ["started", job.started_at && timeNode(job.started_at)],
    ["ended", job.finished_at && timeNode(job.finished_at)],
  ];
  const key = JSON.stringify([job.worker, job.status === "done" && job.message, job.run_at, job.started_at, job.finished_at, job.attempt, resubmitted.map((one) => one.id)]);
  if (byId("details").dataset.shown === key) return;
  byId("details").dataset.shown = key;
  arrange(byId("details"), facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
