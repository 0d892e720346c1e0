// A job's attempts on one time axis: how long each one waited, ran and backed off.
import { arrange, byId, h, icon, setAttr, setText, svg } from "./dom.js";
import { between, now } from "./time.js";
import { TERMINAL, duration, spaced, ticking } from "./words.js";

const ICONS = { succeeded: "done", failed: "failed", timed_out: "failed", crashed: "failed", lost: "down", cancelled: "cancelled", released: "stopping", snoozed: "backoff" };
const WIDTH = 1000;
const NARROWEST = 10;

export class Timeline {
  constructor() {
    /** @type {Map<number, ReturnType<typeof makeRow>>} */
    this.rows = new Map();
  }

  /** @param {any} job with its attempts */
  show(job) {
    this.job = job;
    this.spans = spansOf(job);
    arrange(byId("timeline"), this.spans.map((span) => {
      const row = this.rows.get(span.number) ?? makeRow(span);
      this.rows.set(span.number, row);
      return row.node;
    }));
    this.tick();
  }

  /** Update durations and bars to the current time. */
  tick() {
    if (!this.job) return;
    const from = Date.parse(this.job.created_at);
    const to = Math.max(from + 1, this.job.finished_at && TERMINAL.has(this.job.status) ? Date.parse(this.job.finished_at) : now());
    const x = (ms) => Math.min(WIDTH, Math.max(0, ((ms - from) / (to - from)) * WIDTH));
    for (const span of this.spans) this.rows.get(span.number)?.paint(span, x);
  }
}

/**
 * Return a span for each attempt, and for the wait for the next one.
 * @returns {{number: number, attempt: any, waitFrom: string, dueAt: string | null, retry: boolean}[]}
 */
function spansOf(job) {
  let end = job.created_at, retry = false;
  const spans = job.attempts.map((attempt) => {
    const span = { number: attempt.number, attempt, waitFrom: end, dueAt: null, retry };
    end = attempt.finished_at;
    retry = ["failed", "timed_out", "crashed", "snoozed"].includes(attempt.outcome);
    return span;
  });
  if (job.status === "pending" || job.status === "blocked")
    spans.push({ number: job.attempt + 1, attempt: null, waitFrom: end, dueAt: job.run_at, retry });
  return spans;
}

function makeRow({ number }) {
  const wait = svg("rect", { class: "wait", y: 7, height: 2 });
  const run = svg("rect", { y: 2, height: 12, rx: 1 });
  const outcome = h("span", { class: "outcome" });
  const facts = h("span", { class: "span-facts" });
  const node = h("div", { class: "span" }, h("b", { class: "number" }, number), outcome,
    svg("svg", { class: "bars", viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", "aria-hidden": "true" }, wait, run), facts);
  return { node, paint };

  function paint({ attempt, waitFrom, dueAt, retry }, x) {
    const started = attempt ? Date.parse(attempt.started_at) : now();
    const left = Math.min(x(Date.parse(waitFrom)), WIDTH - NARROWEST), middle = Math.min(x(started), WIDTH - NARROWEST);
    place(wait, left, Math.max(0, middle - left));
    run.classList.toggle("gone", !attempt);
    const word = attempt ? (attempt.outcome ?? "running") : dueAt && Date.parse(dueAt) > now() ? (retry ? "backing off" : "scheduled") : "waiting";
    if (node.dataset.outcome !== word) {
      node.dataset.outcome = word;
      outcome.replaceChildren(icon(ICONS[word] ?? (attempt ? "in_progress" : "pending")), spaced(word));
    }
    if (attempt) {
      const end = attempt.finished_at ? Date.parse(attempt.finished_at) : now();
      place(run, middle, Math.max(NARROWEST, x(end) - middle));
    }
    showFacts(attempt, waitFrom, dueAt, retry);
  }

  function showFacts(attempt, waitFrom, dueAt, retry) {
    const waited = between(waitFrom, attempt?.started_at);
    const due = dueAt ? (Date.parse(dueAt) - now()) / 1000 : 0;
    const parts = [`${retry ? "backed off" : "waited"} ${attempt ? duration(waited) : ticking(waited)}${due > 0 ? `, due in ${ticking(due)}` : ""}`];
    if (attempt) {
      parts.push(`${attempt.finished_at ? "ran" : "runs for"} ${attempt.finished_at ? duration(between(attempt.started_at, attempt.finished_at)) : ticking(between(attempt.started_at))}`);
      parts.push(`${attempt.worker}, pid ${attempt.pid}`);
    }
    setText(facts, parts.join(" · "));
  }
}

function place(rect, x, width) {
  setAttr(rect, "x", x.toFixed(1));
  setAttr(rect, "width", width.toFixed(1));
}
