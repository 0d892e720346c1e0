// A job's attempts on one time axis: how long each one waited, ran and backed off, and what it cost;
// between them what operators did, and why.
import { arrange, byId, h, icon, setAttr, setText, svg } from "../base/dom.js";
import { endsOf, folded } from "./folding.js";
import { targetLink, workerLink } from "../lists/targets.js";
import { between, now, timeOf, waitsSince } from "../base/time.js";
import { linked } from "../base/linked.js";
import { draw, html, nothing } from "../base/lit.js";
import { TERMINAL, WAITING, bytes, duration, spaced, ticking } from "../base/words.js";

const ICONS = { succeeded: "done", failed: "failed", timed_out: "failed", crashed: "failed", lost: "down", cancelled: "cancelled", released: "stopping", snoozed: "backoff", blocked: "blocked" };
const FAILURES = new Set(["failed", "timed_out", "crashed", "lost"]);
/** The words for a wait, while it lasts and when it is over, by the outcome of the attempt before it. */
const WAITS = { snoozed: ["snoozed", "snoozed"], failure: ["backing off", "backed off"], blocked: ["blocked", "blocked"], none: ["waiting", "waited"] };
/** Actions of people and other jobs after which a job waits for a worker. */
const STARTS_WAIT = /^(retried|unblocked)/;
const WIDTH = 1000;
const NARROWEST = 10;
const LATE_S = 1; // any attempt waits a moment for a worker

export class Timeline {
  constructor() {
    /** @type {Map<number, ReturnType<typeof makeRow>>} */
    this.rows = new Map();
    /** @type {Map<string, any>} */
    this.marks = new Map();
    /** The folds by what stands before them: if a job has more attempts than are kept, the first one moves. @type {Map<string, any>} */
    this.folds = new Map();
    this.gone = h("p", { class: "gone-attempts" });
  }

  /** @param {any} job with its attempts @param {import("./history.js").Mark[]} marks @param {Map<number, string>} dues since when each attempt waited for a worker, as far as it is known */
  show(job, marks, dues) {
    this.job = job;
    const first = firstOf(job);
    for (const number of this.rows.keys()) if (number < first) this.rows.delete(number);
    this.entries = [
      ...marks.map((mark) => ({ at: Date.parse(mark.at), mark })), // a mark is before an attempt that it started in the same millisecond
      ...spansOf(job, marks, dues).map((span) => ({ at: span.attempt ? Date.parse(span.attempt.started_at) : Infinity, span })),
    ].sort((a, b) => a.at - b.at);
    this.draw();
  }

  draw() {
    this.spans = [];
    const first = firstOf(this.job);
    let before = "";
    const nodes = folded(this.entries).map((entry) => {
      if (entry.mark) before = `${entry.mark.at} ${entry.mark.what}`;
      return this.nodeOf(entry, before);
    });
    setText(this.gone, first === 2 ? "attempt 1 is no longer kept" : `attempts 1 to ${first - 1} are no longer kept`);
    arrange(byId("timeline"), first > 1 ? [this.gone, ...nodes] : nodes);
    byId("timeline").style.setProperty("--digits", `${String(this.job.attempt).length}`);
    this.tick();
  }

  nodeOf({ mark, span, fold }, before = "") {
    if (mark) return this.markNode(mark);
    if (fold) return this.foldNode(fold.map((one) => one.span), before);
    this.spans.push(span);
    const row = this.rows.get(span.number) ?? makeRow(span);
    this.rows.set(span.number, row);
    return row.node;
  }

  foldNode(spans, before) {
    const node = this.folds.get(before) ?? h("details", { class: "attempts", ontoggle: () => this.draw() }, h("summary", {}), h("div", {}));
    this.folds.set(before, node);
    setText(node.firstElementChild, `attempts ${spans[0].number} to ${spans.at(-1).number}: ${endsOf(spans.map(({ attempt }) => attempt.outcome))}`);
    arrange(node.lastElementChild, node.open ? spans.map((span) => this.nodeOf({ span })) : []);
    return node;
  }

  markNode(mark) {
    const key = JSON.stringify(mark);
    const node = this.marks.get(key) ?? makeMark(mark);
    this.marks.set(key, node);
    return node;
  }

  /** Update durations and bars to the current time. */
  tick() {
    if (!this.job) return;
    // The attempts in a closed fold are not drawn.
    const from = Date.parse(this.job.created_at);
    const to = Math.max(from + 1, this.job.finished_at && TERMINAL.has(this.job.status) ? Date.parse(this.job.finished_at) : now());
    const x = (ms) => Math.min(WIDTH, Math.max(0, ((ms - from) / (to - from)) * WIDTH));
    for (const span of this.spans) this.rows.get(span.number)?.paint(span, x);
  }
}

/** The number of the first attempt that is kept: of a job with very many, the older ones are deleted. */
const firstOf = (job) => job.attempts[0]?.number ?? 1;

/**
 * Return a span for each attempt, and for the wait for the next one.
 * @returns {{number: number, attempt: any, waitFrom: string | null, dueAt: string | null, wait: string[]}[]} `waitFrom`: null if it is not known
 */
function spansOf(job, marks, dues) {
  let end = firstOf(job) > 1 ? null : job.created_at, wait = WAITS.none;
  const starts = marks.filter(({ what }) => STARTS_WAIT.test(what)).map(({ at }) => at);
  const spanOf = (number, attempt, dueAt) => {
    // A job waits for no worker while it is blocked, or between its end and an operator's retry.
    const began = starts.findLast((at) => (!end || at > end) && (!attempt || at <= attempt.started_at));
    return { number, attempt, waitFrom: began ?? end, dueAt, wait: began ? WAITS.none : wait };
  };
  const spans = job.attempts.map((attempt) => {
    const span = spanOf(attempt.number, attempt, dues.get(attempt.number) ?? null);
    end = attempt.finished_at;
    wait = WAITS[FAILURES.has(attempt.outcome) ? "failure" : attempt.outcome] ?? WAITS.none;
    return span;
  });
  if (WAITING.has(job.status)) spans.push({ ...spanOf(job.attempt + 1, null, waitsSince(job)), ...(job.status === "blocked" && { wait: WAITS.blocked }) });
  return spans;
}

/** @param {import("./history.js").Mark} mark */
function makeMark({ at, what, by, reason, target }) {
  const node = h("div", { class: "mark-row" });
  draw(html`${timeOf(at, "clock")}<p><b>${linked(what)}</b>${by ? ` by ${by}` : nothing}${target ? html` (${targetLink(target)})` : nothing}${reason ? html`: <q>${reason}</q>` : nothing}</p>`, node);
  return node;
}

function makeRow({ number }) {
  const waitBar = svg("rect", { class: "wait", y: 7, height: 2 });
  const run = svg("rect", { y: 2, height: 12, rx: 1 });
  const outcome = h("span", { class: "outcome" });
  const facts = h("span", {}), where = h("span", { class: "where" });
  const node = h("div", { class: "span" }, h("b", { class: "number" }, number), outcome,
    svg("svg", { class: "bars", viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", "aria-hidden": "true" }, waitBar, run), h("span", { class: "span-facts" }, facts, where));
  return { node, paint };

  function paint(span, x) {
    const { attempt, waitFrom, dueAt, wait } = span;
    const started = attempt ? Date.parse(attempt.started_at) : now();
    const middle = Math.min(x(started), WIDTH - NARROWEST), left = waitFrom ? Math.min(x(Date.parse(waitFrom)), middle) : middle;
    place(waitBar, left, middle - left);
    run.classList.toggle("gone", !attempt);
    const isEarly = dueAt && Date.parse(dueAt) > now();
    const word = attempt ? (attempt.outcome ?? "running") : wait === WAITS.blocked ? "blocked" : isEarly ? (wait === WAITS.none ? "scheduled" : wait[0]) : "waiting";
    if (node.dataset.outcome !== word) {
      node.dataset.outcome = word;
      outcome.replaceChildren(icon(ICONS[word] ?? (attempt ? "in_progress" : "pending")), spaced(word));
    }
    if (attempt) {
      const end = attempt.finished_at ? Date.parse(attempt.finished_at) : now();
      place(run, middle, Math.max(NARROWEST, x(end) - middle));
    }
    showFacts(span);
  }

  function showFacts(span) {
    const { attempt } = span, parts = waitsOf(span);
    if (attempt) parts.push(`${attempt.finished_at ? "ran" : "runs for"} ${attempt.finished_at ? duration(between(attempt.started_at, attempt.finished_at)) : ticking(between(attempt.started_at))}`);
    if (attempt && attempt.cpu_s !== null) parts.push(`CPU ${+attempt.cpu_s < 0.0005 ? "<1 ms" : duration(+attempt.cpu_s)}`);
    if (attempt && attempt.max_rss_bytes !== null) parts.push(`peak ${bytes(+attempt.max_rss_bytes)}`);
    setText(facts, parts.join(" · "));
    if (attempt) draw(html`${workerLink(attempt.worker)}, pid ${attempt.pid}`, where);
  }
}

/** How long an attempt was put off, and how long it waited for a worker once it was due. @returns {string[]} */
function waitsOf({ attempt, waitFrom, dueAt, wait }) {
  if (!waitFrom) return [];
  const told = attempt ? duration : ticking, start = attempt?.started_at;
  const passed = between(waitFrom, start), late = dueAt ? Math.min(passed, between(dueAt, start)) : 0;
  const due = dueAt && !attempt ? (Date.parse(dueAt) - now()) / 1000 : 0;
  const putOff = duration(passed - late), waited = `waited ${told(late)}`;
  if (wait === WAITS.none && due > 0) return [`due in ${ticking(due)}`];
  if (wait === WAITS.none && dueAt) return passed - late < LATE_S ? [waited] : [`delayed ${putOff}`, waited];
  if (wait !== WAITS.none && wait !== WAITS.blocked && late >= LATE_S) return [`${wait[1]} ${putOff}`, waited];
  return [`${wait[1]} ${told(passed)}${due > 0 ? `, due in ${ticking(due)}` : ""}`];
}

function place(rect, x, width) {
  setAttr(rect, "x", x.toFixed(1));
  setAttr(rect, "width", width.toFixed(1));
}
