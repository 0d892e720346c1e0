// The page of one job. The job is read again whenever an event reports a change.
import { byId, copyOnClick, h, icon, setAttr, setText, showOrHide, visible } from "../base/dom.js";
import { retitle, startChrome } from "../frame/chrome.js";
import { showActions } from "./actions.js";
import { postCurl } from "../base/curl.js";
import { showErrors } from "./errors.js";
import { parseExact, writeExact } from "../base/exact.js";
import { startFind } from "../frame/find.js";
import { Graph } from "./graph.js";
import { request } from "../base/http.js";
import { showDetails } from "./job-details.js";
import { JobSides } from "./job-sides.js";
import { takenText } from "../base/leaving.js";
import { Live } from "../frame/live.js";
import { Log } from "../frame/log.js";
import { sameRequest } from "../frame/same-request.js";
import { everySecond, now, timeNode } from "../base/time.js";
import { Timeline } from "./timeline.js";
import { tree } from "../base/tree.js";
import { Why } from "./why.js";
import { percent, spaced } from "../base/words.js";

const DELETED = "This job was deleted. The page shows its last known state.";
const READ_AGAIN_MS = 3000; // what could not be read
const id = byId("job").dataset.id;
const timeline = new Timeline();
const log = new Log();
const graph = new Graph(id);
const why = new Why(id);
/** @type {any} */
let job = null;
const sides = new JobSides(id);
/** The values that are shown, as text. @type {Map<string, string>} */
const values = new Map();
let reading = false, again = false, isGone = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {Live | undefined} */
let live;
let epoch = "";

startChrome();
copyOnClick(byId("copy-payload"), () => writeExact(job?.payload, 2));
copyOnClick(byId("copy-result"), () => writeExact(job?.result, 2));
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
startFind();
everySecond(() => { timeline.tick(); if (job) { showActions(job, graph, read); showProgress(); } });
read().then(listen);

function listen() {
  if (isGone) return;
  live = new Live(`/ws?job=${id}`, {
    connected,
    events: take,
    log: (lines) => log.take(lines),
    query: () => ({ log_after: log.last }),
    parse: parseExact,
  });
}

/** Read the job again. If the database has another history (a restored backup), its events and log lines are others: load the page anew. @param {{epoch: string}} hello */
function connected(hello) {
  if (epoch && epoch !== hello.epoch) return location.reload();
  epoch = hello.epoch;
  read();
}

function take(fresh) {
  const progress = fresh.filter(({ kind }) => kind === "job.progress").pop();
  if (progress && job) {
    job = { ...job, progress: progress.job.progress, message: progress.job.message };
    showProgress();
  }
  if (fresh.some(({ kind }) => kind === "job.deleted")) missing(DELETED);
  else if (fresh.some(({ kind }) => kind !== "job.progress")) read();
}

/** Read the job. If something changes meanwhile, read it once more afterwards. */
async function read() {
  again = reading;
  if (reading) return;
  reading = true;
  clearTimeout(timer);
  let isAll = false;
  try {
    [job, isAll] = await Promise.all([request(`/jobs/${id}`, { exact: true }), sides.read()]);
    show();
  } catch (error) {
    if (!("status" in error)) reportError(error); // an error of the page itself
    else if (error.status === 404) missing(job ? DELETED : `There is no job ${id}.`);
    else if (!job) showOrHide(byId("missing"), `Job ${id} cannot be read: ${error.message}`);
    else if (error.status) showOrHide(byId("missing"), `This is the job as it was read last: ${error.message}`); // else the banner tells
  }
  reading = false;
  if (isGone) return;
  if (again) read();
  else if (!isAll) timer = setTimeout(read, READ_AGAIN_MS);
}

function missing(text) {
  if (isGone) return;
  isGone = true;
  showOrHide(byId("missing"), text);
  tellWho();
  byId("known").hidden = !job;
  byId("find-another").hidden = !!job;
  byId("actions").hidden = true;
  live?.stop();
}

/** Say who has deleted the job, if the audit log knows. If its number is above all others, nobody has. */
async function tellWho() {
  try {
    const { items } = await request(`/audit?job=${id}`);
    const entry = items.find(({ action }) => action === "delete");
    byId("missing").append(...entry ? [` ${entry.by} deleted it `, timeNode(entry.at), entry.reason ? visible(`: ${entry.reason}.`) : "."]
      : job ? [] : [await newestBelow() ?? " Jobs are deleted some time after they have ended."]);
  } catch { /* then the page does not tell */ }
}

/** Say which job is the newest, if its number is lower. */
async function newestBelow() {
  const { items: [newest] } = await request("/jobs?limit=1");
  return newest && BigInt(newest.id) < BigInt(id ?? "") ? ` The newest job is ${newest.id}.` : null;
}

function show() {
  if (!isGone) byId("missing").hidden = true;
  setText(byId("type"), job.type);
  setAttr(byId("type"), "href", `/ui/jobs?${new URLSearchParams({ type: job.type })}`);
  retitle(`${spaced(job.status)}: ${job.type} ${id} · Orpheus`, job.status === "failed");
  showStatus();
  showActions(job, graph, read);
  showProgress();
  timeline.show(job, sides.marks, sides.dues);
  why.show(job);
  graph.read();
  showErrors(job.attempts, job.type);
  showValue("payload", job.payload);
  byId("result-section").hidden = job.status !== "done";
  if (job.status === "done") showValue("result", job.result);
  showDetails(job, sides.resubmitted);
  setText(byId("curl"), postCurl("/jobs", sameRequest(job, sides.defaults[job.type], now())));
}

function showStatus() {
  const status = byId("status");
  if (status.dataset.status !== job.status) {
    status.dataset.status = job.status;
    status.replaceChildren(icon(job.status), h("b", {}, spaced(job.status)));
  }
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
