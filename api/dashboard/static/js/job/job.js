// The page of one job, read again when the stream reports a change.
import { base } from "../base/base.js";
import { byId, copyOnClick, setAttr, setText, showOrHide } from "../base/dom.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { retitle, startChrome } from "../frame/chrome.js";
import { askRetryFrom, showActions } from "./actions.js";
import { postCurl } from "../base/curl.js";
import { showErrors } from "./errors.js";
import { parseExact, writeExact } from "../base/exact.js";
import { Graph } from "./graph.js";
import { request } from "../base/http.js";
import { showDetails } from "./job-details.js";
import { History } from "./history.js";
import { takenText } from "../base/slot-state.js";
import { Live } from "../frame/live.js";
import { Log } from "../frame/log.js";
import { Refresh } from "../frame/refresh.js";
import { sameRequest } from "./resubmit.js";
import { Steps } from "./steps.js";
import { everySecond, timeOf } from "../base/time.js";
import { Timeline } from "./timeline.js";
import { tree } from "../base/tree.js";
import { Why } from "./why.js";
import { percent, spaced } from "../base/words.js";

const id = byId("job").dataset.id;
const log = new Log(), graph = new Graph(id), sides = new History(id), steps = new Steps(id, () => job && showStory());
const why = new Why(() => { job = { ...job, has_steps: true }; steps.follow(job); });
const timeline = new Timeline(steps, () => graph.shown?.nodes ?? [], (step) => askRetryFrom(job, steps.items, step, () => refresh.now()));
/** @type {any} */
let job = null;
/** The values that are shown, as text. @type {Map<string, string>} */
const values = new Map();
/** @type {Live | undefined} */
let live;
let epoch = "";

startChrome();
copyOnClick(byId("copy-payload"), () => writeExact(job?.payload, 2));
copyOnClick(byId("copy-result"), () => writeExact(job?.result, 2));
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
everySecond(() => { timeline.draw(); if (job) { showActions(job, steps, () => refresh.now()); showProgress(); } });
const refresh = new Refresh(read, { told });
refresh.now();

/** @param {AbortSignal} signal */
async function read(signal) {
  const isFirst = !job;
  [job] = await Promise.all([request(`/jobs/${id}`, { exact: true, signal }), sides.read()]);
  if (isFirst) await Promise.allSettled([why.begin(job, signal), graph.read(signal), job.has_steps && steps.read(signal)]); // the page appears as a whole
  else why.show(job);
  if (!isFirst || job.status === "in_progress") steps.follow(job);
  graph.refresh.soon();
  show();
  live ??= new Live(`/ws?job=${id}`, { hello, events: take, log: (lines) => log.take(lines), query: () => ({ log_after: log.last }), parse: parseExact });
}

/** If the database has another history (a restored backup), its log lines are others: load the page anew. @param {{epoch: string, job: any}} message */
function hello({ epoch: current, job: latest }) {
  if (epoch && epoch !== current) return location.reload();
  const isRead = !epoch && ["status", "attempt", "cancel_requested"].every((name) => String(latest?.[name]) === String(job[name])); // just before
  epoch = current;
  if (!isRead) refresh.now();
}

/** @param {any[]} events */
function take(events) {
  const progress = events.findLast(({ kind }) => kind === "job.progress");
  if (progress) {
    job = { ...job, progress: progress.job.progress, message: progress.job.message };
    showProgress();
  }
  if (events.some(({ kind }) => kind === "job.deleted")) missing();
  else if (events.some(({ kind }) => kind !== "job.progress")) refresh.soon();
}

/** @param {any} error of the read */
function told(error) {
  if (error?.status === 404) missing();
  else showOrHide(byId("missing"), error && (job ? `The job as it was last read: ${error.message}` : `Job ${id} cannot be read: ${error.message}`));
}

function missing() {
  showOrHide(byId("missing"), job ? "This job was deleted. The page shows its last known state." : `There is no job ${id}. Ended jobs are deleted after a while.`);
  byId("known").hidden = !job;
  byId("actions").hidden = true;
  refresh.stop();
  steps.refresh.stop();
  live?.stop();
}

function show() {
  setText(byId("type"), job.type);
  setAttr(byId("type"), "href", `${base}/ui/jobs?${new URLSearchParams({ type: job.type })}`);
  retitle(`${spaced(job.status)}: ${job.type} ${id} · Orpheus`, job.status === "failed");
  showStatus();
  showProgress();
  showStory();
  showErrors(job.attempts, job.type);
  showValue("payload", job.payload);
  byId("result-section").hidden = job.status !== "done";
  if (job.status === "done") showValue("result", job.result);
  showDetails(job, sides.resubmitted);
  byId("known").hidden = false;
  setText(byId("curl"), postCurl("/jobs", sameRequest(job, sides.defaults[job.type])));
}

/** What a durable function keeps is read on its own. */
function showStory() {
  timeline.show(job, sides.marks, sides.dues);
  showActions(job, steps, () => refresh.now());
}

function showStatus() {
  const { status, finished_at: end, started_at: start, run_at: due } = job, at = end ?? (status === "in_progress" ? start : status === "pending" ? due : null);
  setAttr(byId("status"), "data-status", status);
  draw(html`${icon(status)}<b>${spaced(status)}</b>`, byId("status"));
  draw(at ? html`${end ? "" : status === "pending" ? "due " : "since "}${timeOf(at, "exact")} (${timeOf(at, "relative")})` : nothing, byId("status-at"));
}

function showProgress() {
  const { status, progress, message } = job, taken = takenText(job);
  // A job that is done may have reported 98 %, or "row 5900 of 6000" last: its message is among the details.
  const part = progress === null ? null : Number(progress);
  byId("progress").hidden = status === "done" || (part === null && !message && !taken);
  byId("progress").dataset.status = status;
  const bar = byId("progress").firstElementChild;
  bar.hidden = part === null;
  if (part !== null) bar.value = part;
  setText(byId("progress-note"), [part === null ? "" : percent(part), message, taken].filter(Boolean).join(" · "));
}

/** Show a value. An unchanged value is not drawn again, so that an opened tree stays open. */
function showValue(name, value) {
  const text = writeExact(value);
  if (values.get(name) === text) return;
  values.set(name, text);
  byId(name).replaceChildren(tree(value));
}
