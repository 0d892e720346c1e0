// The page of one job. The job is read again whenever an event reports a change.
import { arrange, byId, copyOnClick, h, icon, setText, showOrHide } from "./dom.js";
import { onTryNow, retitle, showConnection, startChrome } from "./chrome.js";
import { showActions } from "./actions.js";
import { postCurl } from "./curl.js";
import { showErrors } from "./errors.js";
import { writeExact } from "./exact.js";
import { request } from "./http.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { everySecond, timeNode } from "./time.js";
import { Timeline } from "./timeline.js";
import { tree } from "./tree.js";
import { duration, percent, spaced } from "./words.js";

const id = byId("job").dataset.id;
const timeline = new Timeline();
const log = new Log(id);
/** @type {any} */
let job = null;
let reading = false, again = false;
/** @type {Live | undefined} */
let live;

startChrome();
copyOnClick(byId("copy-payload"), () => writeExact(job?.payload, 2));
copyOnClick(byId("copy-result"), () => writeExact(job?.result, 2));
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
everySecond(() => timeline.tick());
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

function take(events) {
  const progress = events.filter(({ kind }) => kind === "job.progress").pop();
  if (progress && job) showProgress({ ...job, progress: progress.job.progress, message: progress.job.message });
  if (events.some(({ kind }) => kind === "job.deleted")) missing("This job was deleted. The page shows its last known state.");
  else if (events.some(({ kind }) => kind !== "job.progress")) read();
}

/** Read the job. If something changes meanwhile, read it once more afterwards. */
async function read() {
  again = reading;
  if (reading) return;
  reading = true;
  try {
    job = await request(`/jobs/${id}`, { exact: true });
    show();
  } catch (error) {
    if (error.status === 404) missing(`There is no job ${id}. It may have been deleted.`);
  }
  reading = false;
  if (again) read();
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
  timeline.show(job);
  showErrors(job.attempts);
  showValue("payload", job.payload);
  byId("result-section").hidden = job.status !== "done";
  if (job.status === "done") showValue("result", job.result);
  showDetails();
  setText(byId("curl"), postCurl("/jobs", sameRequest()));
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

function showDetails() {
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
    ["after jobs", job.depends_on.length ? h("span", {}, ...job.depends_on.flatMap((other) => [h("a", { href: `/ui/jobs/${other}` }, other), " "])) : null],
    ["submitted", timeNode(job.created_at)],
    ["due", timeNode(job.run_at)],
    ["started", job.started_at && timeNode(job.started_at)],
    ["ended", job.finished_at && timeNode(job.finished_at)],
  ];
  const key = JSON.stringify([job.worker, job.run_at, job.started_at, job.finished_at, job.attempt]);
  if (byId("details").dataset.shown === key) return;
  byId("details").dataset.shown = key;
  arrange(byId("details"), facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** The request that submits the same job: only what differs from the defaults. */
function sameRequest() {
  const { type, payload, queue, priority, unique_key, concurrency_key, tags } = job;
  const body = { type, payload };
  if (queue !== "default") body.queue = queue;
  if (+priority) body.priority = priority;
  if (unique_key) body.unique_key = unique_key;
  if (concurrency_key) body.concurrency_key = concurrency_key;
  if (tags.length) body.tags = tags;
  return body;
}
