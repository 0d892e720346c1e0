// Four figures with the line of an hour: jobs done and failed, the oldest wait, jobs in progress.
//
// What waits and runs is not counted by minute: the page keeps the most of each minute since it was opened. Before that
// the lines show what the history knows: how long jobs waited at most (p95), and the mean number of them that ran.
import { base } from "../base/base.js";
import { byId } from "../base/dom.js";
import { line } from "../base/charts.js";
import { request } from "../base/http.js";
import { draw, html, jobsWith, nothing } from "../base/lit.js";
import { now } from "../base/time.js";
import { ALARMING_SHARE } from "../base/verdict.js";
import { brief, bytes, count, duration, percent, rate } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";

const MINUTES = 60;
const thisMinute = () => Math.floor(now() / 60_000);

export class Figures {
  constructor() {
    /** The most of each minute. @type {Map<number, {wait: number, running: number}>} */
    this.seen = new Map();
    /** What the history knows of it. @type {Map<number, {wait: number, running: number}>} */
    this.past = new Map();
    /** @type {Record<string, number>} */
    this.counts = {};
    this.history = new Refresh(() => this.readHistory(), { every: 60_000, told: () => {} });
  }

  async readHistory() {
    const since = new Date(now() - MINUTES * 60_000).toISOString();
    const { items } = await request(`/stats/history?by=queue&step=60&since=${encodeURIComponent(since)}`);
    this.past = new Map();
    for (const { at, wait_p95_s: wait, worker_s: worked } of items.flatMap((/** @type {any} */ { points }) => points)) {
      const minute = Math.floor(Date.parse(at) / 60_000), sum = this.past.get(minute) ?? { wait: 0, running: 0 };
      this.past.set(minute, { wait: Math.max(sum.wait, wait ?? 0), running: sum.running + worked / 60 });
    }
    this.draw();
  }

  /** @param {Record<string, number>} counts of a hello or a heartbeat */
  showCounts(counts) {
    this.counts = counts;
    this.draw();
  }

  /** @param {any} stats as GET /stats gives them */
  showStats(stats) {
    this.stats = stats;
    this.counts = stats.counts;
    this.draw();
  }

  draw() {
    if (!this.stats) return;
    const { throughput, oldest_pending_s: oldest, oldest_pending_queue: queue, wait_s: wait, run_s: run, database_bytes: size, wal_bytes: log } = this.stats;
    const { last_hour: hour, by_minute: minutes } = throughput, { in_progress: running = 0, pending = 0, blocked = 0 } = this.counts;
    const most = this.seen.get(thisMinute()) ?? { wait: 0, running: 0 };
    this.seen.set(thisMinute(), { wait: Math.max(most.wait, oldest ?? 0), running: Math.max(most.running, running) });
    this.seen.delete(thisMinute() - MINUTES);
    const series = (/** @type {"wait" | "running"} */ name) => Array.from({ length: MINUTES }, (_, i) => thisMinute() - MINUTES + 1 + i).map((minute) => (this.seen.get(minute) ?? this.past.get(minute))?.[name] ?? 0);
    const share = (/** @type {any} */ { done, failed }) => (done + failed ? failed / (done + failed) : 0);
    const failing = share(throughput.last_5_min);
    const waiting = [["pending", pending], ["blocked", blocked]].filter(([, n]) => n).map(([status, n], i) => html`${i ? " · " : ""}<a href=${jobsWith({ status })}>${count(n)} ${status}</a>`);
    draw(html`
      ${figure("Done", "last hour", html`<a href=${jobsWith({ status: "done" })}>${count(hour.done)}</a>`, `${rate(throughput.ended_per_minute)} per min now`,
        line("Jobs done in each of the last 60 minutes", minutes.map((/** @type {any} */ { done }) => done), { kind: "done" }))}
      ${figure("Failed", "last hour", hour.failed ? html`<a href="${base}/ui/errors">${count(hour.failed)}</a>` : "0", hour.failed ? `${percent(share(hour))} of jobs · ${failing ? `${percent(failing)} in 5 min` : "none lately"}` : "no failure",
        line("Failed jobs in each of the last 60 minutes", minutes.map((/** @type {any} */ { failed }) => failed), { kind: "failed", least: 1 }), failing >= ALARMING_SHARE)}
      ${figure("Oldest wait", "now", oldest === null ? "–" : brief(oldest), queue === null ? "no job is due" : html`in <a href="${base}/ui/queues#queue-${queue}" title="Queue ${queue}">${queue}</a>`,
        line("The longest wait in each of the last 60 minutes", series("wait"), { least: 1, kind: "wait" }))}
      ${figure("In progress", "now", html`<a href=${jobsWith({ status: "in_progress" })}>${count(running)}</a>`, waiting.length ? waiting : "nothing waits",
        line("Jobs in progress in each of the last 60 minutes", series("running"), { least: 1, kind: "running" }))}`, byId("figures"));
    const span = (/** @type {string} */ name, /** @type {any} */ { p50, p95 }) => (p50 === null ? "" : `${name} p50 ${duration(p50)}, p95 ${duration(p95)}`);
    draw([span("wait", wait), span("run", run), `database ${bytes(size)}, log ${bytes(log)}`].filter(Boolean).join(" · "), byId("facts"));
  }
}

/** @param {string} name @param {string} when @param {any} value @param {any} more @param {any} chart @param {boolean} [isBad] */
const figure = (name, when, value, more, chart, isBad) => html`<div class="figure"><dt>${name} <span class="unit">${when}</span></dt><dd class=${isBad ? "bad value" : "value"}>${value}</dd><dd class="sub">${more ?? nothing}</dd><dd class="chart"><a href="${base}/ui/history" aria-label="History">${chart}</a></dd></div>`;
