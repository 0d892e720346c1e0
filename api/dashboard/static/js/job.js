// The page of one job. The job is read again whenever an event reports a change.
import { arrange, byId, copyOnClick, h, icon, setText, showOrHide } from "./dom.js";
import { onTryNow, retitle, showConnection, startChrome } from "./chrome.js";
import { showActions } from "./actions.js";
import { postCurl } from "./curl.js";
import { showErrors } from "./errors.js";
import { writeExact } from "./exact.js";
import { Graph } from "./graph.js";
import { marksOf } from "./history.js";
import { request } from "./http.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { originOf, originTag, sameRequest } from "./same-request.js";
import { everySecond, now, timeNode } from "./time.js";
import { Timeline } from "./timeline.js";
import { tree } from "./tree.js";
import { Why } from "./why.js";
import { count, duration, percent, spaced } from "./words.js";

const DELETED = "This job was deleted. The page shows its last known state.";
const MOST_LINKS = 30;
const EVENTS_AT_ONCE = 500;
const id = byId("job").dataset.id;
const timeline = new Timeline();
const log = new Log(id);
const graph = new Graph(id);
const why = new Why(id);
/** @type {any} */
let job = null;
/** @type {any} */
let defaults;
/** @type {any[]} */
let resubmitted = [];
/** @type {any[]} all events so far */
const events = [];
/** @type {import("./history.js").Mark[]} */
let marks = [];
let reading = false, again = false;
/** @type {Live | undefined} */
let live;

startChrome();
copyOnClick(byId("copy-payload"), () => writeExact(job?.payload, 2));
copyOnClick(byId("copy-result"), () => writeExact(job?.result, 2));
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
everySecond(() => { timeline.tick(); if (job) showActions(job, read); });
onTryNow(() => live?.retryNow());
read().then(listen);

function listen() {
  if (!byId("missing").hidden) return;
  live = new Live(`/ws?job=${id}`, {
    connected: () => { read(); log.load().catch(() => {}); },
    events: take,
    log: (lines) => log.take(lines),
    state: showConnection,
  });
}

function take(fresh) {
  const progress = fresh.filter(({ kind }) => kind === "job.progress").pop();
  if (progress && job) showProgress({ ...job, progress: progress.job.progress, message: progress.job.message });
  if (fresh.some(({ kind }) => kind === "job.deleted")) missing(DELETED);
  else if (fresh.some(({ kind }) => kind !== "job.progress")) read();
}

/** Read the job. If something changes meanwhile, read it once more afterwards. */
async function read() {
  again = reading;
  if (reading) return;
  reading = true;
  try {
    [job, marks, resubmitted, defaults] = await Promise.all([request(`/jobs/${id}`, { exact: true }), readMarks(), readResubmitted(), defaults ?? readDefaults()]);
    show();
  } catch (error) {
    if (error.status === 404) missing(job ? DELETED : `There is no job ${id}. It may have been deleted.`);
    else if (!("status" in error)) reportError(error); // an error of the page itself
  }
  reading = false;
  if (again) read();
}

/** What operators and other jobs did to it. */
async function readMarks() {
  const [audit] = await Promise.all([request(`/audit?job=${id}&limit=200`), readEvents()]);
  return marksOf(events, audit.items);
}

/** Read the events after the last one that is known. */
async function readEvents() {
  for (let more = true; more;) {
    const { items } = await request(`/jobs/${id}/events?after=${events.at(-1)?.seq ?? 0}`);
    events.push(...items);
    more = items.length === EVENTS_AT_ONCE;
  }
}

/** The newest jobs that were made from this one. */
async function readResubmitted() {
  return (await request(`/jobs?tag=${originTag(id)}&preview=true&limit=10`)).items;
}

/** The defaults of each job type. */
async function readDefaults() {
  const { items } = await request("/types", { exact: true });
  return Object.fromEntries(items.map((type) => [type.name, type.defaults]));
}

function missing(text) {
  showOrHide(byId("missing"), text);
  byId("known").hidden = !job;
  byId("actions").hidden = true;
  live?.stop();
}

function show() {
  setText(byId("type"), job.type);
  retitle(`${spaced(job.status)}: ${job.type} ${id} · Orpheus`, job.status === "failed");
  showStatus();
  showActions(job, read);
  showProgress(job);
  timeline.show(job, marks);
  why.show(job);
  graph.read();
  showErrors(job.attempts);
  showValue("payload", job.payload);
  byId("result-section").hidden = job.status !== "done";
  if (job.status === "done") showValue("result", job.result);
  showDetails();
  setText(byId("curl"), postCurl("/jobs", sameRequest(job, defaults[job.type], now())));
}

function showStatus() {
  const status = byId("status");
  if (status.dataset.status !== job.status) {
    status.dataset.status = job.status;
    status.replaceChildren(icon(job.status), h("b", {}, spaced(job.status)));
  }
}

function showProgress({ status, progress, message }) {
  const known = progress !== null && (status === "in_progress" || progress < 1);
  byId("progress").hidden = !known && !message;
  const bar = byId("progress").firstElementChild;
  bar.hidden = progress === null;
  if (progress !== null) bar.value = progress;
  setText(byId("progress-note"), [progress === null ? "" : percent(progress), message].filter(Boolean).join(" · "));
}

/** Show a value. An unchanged value is not drawn again, so that an opened tree stays open. */
function showValue(name, value) {
  const text = writeExact(value);
  const node = byId(name);
  if (node.dataset.shown === text.slice(0, 200) + text.length) return;
  node.dataset.shown = text.slice(0, 200) + text.length;
  node.replaceChildren(tree(value));
}

/** Links to jobs: the first of them, and how many more there are. @param {any[]} ids */
function jobLinks(ids, before = "") {
  const links = ids.slice(0, MOST_LINKS).flatMap((other) => [h("a", { href: `/ui/jobs/${other}` }, `${before}${other}`), " "]);
  return h("span", {}, ...links, ids.length > MOST_LINKS && `and ${count(ids.length - MOST_LINKS)} more`);
}

function showDetails() {
  const origin = originOf(job.tags);
  const facts = [
    ["queue", h("a", { href: `/ui/jobs?queue=${encodeURIComponent(job.queue)}` }, job.queue)],
    ["priority", String(job.priority)],
    ["attempts", String(job.attempt)],
    ["retries", `at most ${job.max_retries}`],
    ["timeout", duration(+job.timeout)],
    ["worker", job.worker],
    ["unique key", job.unique_key],
    ["concurrency key", job.concurrency_key],
    ["tags", job.tags.length ? h("span", { class: "tags" }, ...job.tags.map((tag) => h("a", { href: `/ui/jobs?tag=${encodeURIComponent(tag)}` }, tag))) : null],
    ["after jobs", job.depends_on.length ? jobLinks(job.depends_on) : null],
    ["if one fails", job.depends_on.length ? { cancel: "it is cancelled", run: "it runs all the same", fail: "it fails" }[job.on_dependency_failure] : null],
    ["made from", origin && h("a", { href: `/ui/jobs/${origin}` }, `job ${origin}`)],
    ["resubmitted", resubmitted.length ? jobLinks(resubmitted.map((one) => one.id), "as job ") : null],
    ["submitted", timeNode(job.created_at)],
    ["due", timeNode(job.run_at)],
    ["started", job.started_at && timeNode(job.started_at)],
    ["ended", job.finished_at && timeNode(job.finished_at)],
  ];
  const key = JSON.stringify([job.worker, job.run_at, job.started_at, job.finished_at, job.attempt, resubmitted.map((one) => one.id)]);
  if (byId("details").dataset.shown === key) return;
  byId("details").dataset.shown = key;
  arrange(byId("details"), facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
