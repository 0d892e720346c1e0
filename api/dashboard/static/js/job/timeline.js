// A job's attempts on one time axis: how long each one waited, ran and backed off, and what it cost;
// between them what operators did, and why, and what a durable function kept.
import { byId } from "../base/dom.js";
import { linked } from "../base/linked.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { between, now, timeOf, waitsSince } from "../base/time.js";
import { TERMINAL, WAITING, bytes, count, duration, plural, spaced, ticking } from "../base/words.js";
import { targetLink, workerLink } from "../lists/targets.js";
import { waitedFor } from "./steps.js";

const ICONS = { succeeded: "done", failed: "failed", timed_out: "failed", crashed: "failed", lost: "down", cancelled: "cancelled", released: "stopping", snoozed: "backoff", sleeping: "backoff", blocked: "blocked", running: "in_progress" };
const FAILURES = new Set(["failed", "timed_out", "crashed", "lost"]);
/** The words for a wait, while it lasts and when it is over, by the outcome of the attempt before it. */
const WAITS = { snoozed: ["snoozed", "snoozed"], sleep: ["sleeping", "slept"], failure: ["backing off", "backed off"], blocked: ["blocked", "blocked"], none: ["waiting", "waited"] };
/** Actions of people and other jobs after which a job waits for a worker. */
const STARTS_WAIT = /^(retried|unblocked)/;
const WIDTH = 1000;
const NARROWEST = 10;
const LATE_S = 1; // any attempt waits a moment for a worker
/** Of many attempts, or steps, the middle ones are folded, unless they are fewer than FEWEST. */
const ATTEMPTS = { many: 10, last: 5 }, STEPS = { many: 40, last: 20 }, FEWEST = 3;

export class Timeline {
  /** The first attempt or step of each fold that is open. @type {Set<number | string>} */
  opened = new Set();

  /** @param {import("./steps.js").Steps} steps @param {() => any[]} nodes of the graph @param {(step: any) => void} retry asks whether to retry the job from a step */
  constructor(steps, nodes, retry) { Object.assign(this, { steps, nodes, retry }); }

  /** @param {any} job with its attempts @param {import("./history.js").Mark[]} marks @param {Map<number, string>} dues since when each attempt waited for a worker, as far as it is known */
  show(job, marks, dues) {
    this.job = job;
    this.entries = [
      ...this.steps.items.map((step) => ({ at: Date.parse(step.at), step })),
      ...marks.map((mark) => ({ at: Date.parse(mark.at), mark })), // a mark is before an attempt that it started in the same millisecond
      ...spansOf(job, marks, dues, this.steps).map((span) => ({ at: span.attempt ? Date.parse(span.attempt.started_at) : Infinity, span })),
    ].sort((a, b) => a.at - b.at);
    this.draw();
  }

  /** Draw it as it is now. */
  draw() {
    if (!this.job) return;
    const { job } = this, first = firstOf(job), from = Date.parse(job.created_at);
    const to = Math.max(from + 1, TERMINAL.has(job.status) ? Date.parse(job.finished_at) : now());
    const x = (/** @type {number} */ ms) => Math.min(WIDTH, Math.max(0, ((ms - from) / (to - from)) * WIDTH));
    const nodes = this.nodes(), again = () => this.draw();
    const entryOf = ({ mark, span, step, fold }) => (mark ? markOf(mark) : span ? spanRow(span, x) : step ? this.steps.row(step, job, nodes, again, this.retry) : this.foldOf(fold, entryOf));
    draw(html`${first > 1 ? html`<p class="gone-attempts">${first === 2 ? "Attempt 1 is" : `Attempts 1 to ${first - 1} are`} no longer kept.</p>` : nothing}${folded(this.entries).map(entryOf)}`, byId("timeline"));
    byId("timeline").style.setProperty("--digits", `${String(job.attempt).length}`);
  }

  foldOf(entries, entryOf) {
    const spans = entries.flatMap(({ span }) => span ?? []), steps = entries.length - spans.length, first = entries[0].step?.name ?? spans[0].number, isOpen = this.opened.has(first);
    const toggle = (/** @type {any} */ { target }) => { if (target.open !== this.opened.has(first)) { this.opened[target.open ? "add" : "delete"](first); this.draw(); } };
    const which = spans.length > 1 ? `Attempts ${spans[0].number} to ${spans.at(-1).number}` : `Attempt ${spans[0]?.number}`;
    const what = [spans.length ? `${which}: ${endsOf(spans)}` : "", steps ? plural(steps, "step") : ""].filter(Boolean).join(" · ");
    return html`<details class="attempts" .open=${isOpen} @toggle=${toggle}><summary>${what}</summary>${isOpen ? html`<div>${entries.map(entryOf)}</div>` : nothing}</details>`;
  }
}

/** Put each run of attempts and steps in the middle into a fold; marks are never folded. @param {any[]} entries in their order @returns {any[]} */
function folded(entries) {
  const rows = entries.filter(({ mark }) => !mark), { many, last } = rows.some(({ step }) => step) ? STEPS : ATTEMPTS;
  if (rows.length <= many) return entries;
  const middle = new Set(rows.slice(1, -last));
  /** @type {any[][]} */
  const runs = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    if (run && middle.has(entry) && middle.has(run[0])) run.push(entry); else runs.push([entry]);
  }
  return runs.flatMap((run) => (run.length < FEWEST ? run : [{ fold: run }]));
}

/** "300 snoozed, 143 failed": how the attempts ended, the most frequent first. */
const endsOf = (spans) => [...Map.groupBy(spans, ({ attempt }) => attempt.outcome)].sort(([, a], [, b]) => b.length - a.length).map(([outcome, same]) => `${count(same.length)} ${spaced(outcome ?? "running")}`).join(", ");

/** The number of the first attempt that is kept: of a job with very many, the older ones are deleted. */
const firstOf = (job) => job.attempts[0]?.number ?? 1;

/**
 * Return a span for each attempt, and for the wait for the next one.
 * @returns {{number: number, attempt: any, waitFrom: string | null, dueAt: string | null, wait: string[], awaits: any}[]} `waitFrom`: null if it is not known; `awaits`: the step for which the attempt ended
 */
function spansOf(job, marks, dues, steps) {
  let end = firstOf(job) > 1 ? null : job.created_at, wait = WAITS.none;
  const starts = marks.filter(({ what }) => STARTS_WAIT.test(what)).map(({ at }) => at);
  const spanOf = (number, attempt, dueAt) => {
    // A job waits for no worker while it is blocked, or between its end and an operator's retry.
    const began = starts.findLast((at) => (!end || at > end) && (!attempt || at <= attempt.started_at));
    return { number, attempt, waitFrom: began ?? end, dueAt, wait: began ? WAITS.none : wait };
  };
  const spans = job.attempts.map((attempt) => {
    const span = { ...spanOf(attempt.number, attempt, dues.get(attempt.number) ?? null), awaits: attempt.outcome === "snoozed" ? steps.waitOf(attempt.number) : undefined };
    end = attempt.finished_at;
    wait = span.awaits?.kind === "sleep" ? WAITS.sleep : WAITS[FAILURES.has(attempt.outcome) ? "failure" : attempt.outcome] ?? WAITS.none;
    return span;
  });
  if (WAITING.has(job.status)) spans.push({ ...spanOf(job.attempt + 1, null, waitsSince(job)), ...(job.status === "blocked" && { wait: WAITS.blocked }) });
  return spans;
}

/** @param {import("./history.js").Mark} mark */
const markOf = ({ at, what, by, reason, target }) => html`<div class="mark-row">${timeOf(at, "exact")}<p><b>${linked(what)}</b>${by ? ` by ${by}` : nothing}${target ? html` (${targetLink(target)})` : nothing}${
  reason ? html`: <q>${reason}</q>` : nothing} <small>${timeOf(at)}</small></p></div>`;

function spanRow(span, x) {
  const { number, attempt, waitFrom, dueAt, wait, awaits } = span, isEarly = dueAt && Date.parse(dueAt) > now();
  const start = attempt ? Date.parse(attempt.started_at) : now(), end = attempt?.finished_at ? Date.parse(attempt.finished_at) : now();
  const middle = Math.min(x(start), WIDTH - NARROWEST), left = waitFrom ? Math.min(x(Date.parse(waitFrom)), middle) : middle;
  const word = attempt ? (attempt.outcome ?? "running") : wait === WAITS.blocked ? "blocked" : !isEarly ? "waiting" : wait === WAITS.none ? "scheduled" : wait[0];
  return html`<div class="span" data-outcome=${word}><b class="number">${number}</b><span class="outcome">${icon(ICONS[word] ?? "pending")}${awaits ? (awaits.kind === "sleep" ? "slept" : "waited") : spaced(word)}</span>
    <svg class="bars" viewBox="0 0 ${WIDTH} 16" preserveAspectRatio="none" aria-hidden="true"><rect class="wait" y="7" height="2" x=${left.toFixed(1)} width=${(middle - left).toFixed(1)}></rect><rect
      class=${attempt ? "" : "gone"} y="2" height="12" rx="1" x=${middle.toFixed(1)} width=${Math.max(NARROWEST, x(end) - middle).toFixed(1)}></rect></svg>
    <span class="span-facts"><span>${[...waitsOf(span), ...costsOf(attempt), ...(awaits ? [`then ${waitedFor(awaits)}`] : [])].join(" · ")}</span>${attempt ? html`<span class="where">${timeOf(attempt.started_at, "exact")} on ${workerLink(attempt.worker)}, pid ${attempt.pid}</span>` : nothing}</span></div>`;
}

/** @returns {string[]} */
function costsOf(attempt) {
  if (!attempt) return [];
  const { started_at: start, finished_at: end, cpu_s: cpu, max_rss_bytes: peak } = attempt;
  return [end ? `ran ${duration(between(start, end))}` : `running for ${ticking(between(start))}`, ...(cpu === null ? [] : [`CPU ${+cpu < 0.0005 ? "<1 ms" : duration(+cpu)}`]), ...(peak === null ? [] : [`peak ${bytes(+peak)}`])];
}

/** How long an attempt was put off, and how long it waited for a worker once it was due. @returns {string[]} */
function waitsOf({ attempt, waitFrom, dueAt, wait }) {
  if (!waitFrom) return [];
  const write = attempt ? duration : ticking, start = attempt?.started_at;
  const passed = between(waitFrom, start), late = dueAt ? Math.min(passed, between(dueAt, start)) : 0;
  const due = dueAt && !attempt ? (Date.parse(dueAt) - now()) / 1000 : 0;
  const putOff = duration(passed - late), waited = `waited ${write(late)}`;
  if (wait === WAITS.none && due > 0) return [`due in ${ticking(due)}`];
  if (wait === WAITS.none && dueAt) return passed - late < LATE_S ? [waited] : [`delayed ${putOff}`, waited];
  if (wait !== WAITS.none && wait !== WAITS.blocked && late >= LATE_S) return [`${wait[1]} ${putOff}`, waited];
  return [`${wait[1]} ${write(passed)}${due > 0 ? `, due in ${ticking(due)}` : ""}`];
}
