// The figures at the top: the verdict, counts by status, and what GET /stats measures.
import { arrange, byId, h, icon, say, set } from "./dom.js";
import { drawMinutes } from "./charts.js";
import { ask } from "./http.js";
import { bytes, count, duration, percent, rate, some } from "./words.js";
import { RateMeter } from "./rate.js";
import { ALARMING_SHARE, judge, rejection } from "./verdict.js";
import { showTrouble } from "./chrome.js";

const POLL_MS = 5000;
const ENDED = ["done", "failed", "cancelled"];

export class Figures {
  constructor() {
    /** @type {any} */
    this.stats = null;
    this.meter = new RateMeter(10);
    this.seen = false;
    this.poll();
    document.addEventListener("visibilitychange", () => this.poll());
  }

  async poll() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try { this.stats = await ask("/stats"); this.showStats(); } catch { /* the banner tells */ }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  /** Counts and workers as hello and heartbeats bring them. @param {{counts: Record<string, number>, workers: any[]}} pulse */
  pulse({ counts, workers }) {
    this.seen = true;
    this.counts = counts;
    this.workers = workers;
    for (const item of byId("counts").children) {
      const n = counts[item.dataset.status] ?? 0;
      say(item.querySelector("b"), count(n));
      item.classList.toggle("none", n === 0);
    }
    const now = this.meter.push(ENDED.reduce((sum, status) => sum + (counts[status] ?? 0), 0));
    say(byId("now-rate"), now === null ? "\u00a0" : now ? `now ${rate(now)} a second` : "now still");
    this.showVerdict();
    this.showRejection();
  }

  showRejection() {
    const why = rejection(this.workers);
    byId("rejected").hidden = why === null;
    say(byId("rejected-why"), why ?? "");
  }

  showVerdict() {
    const { headline, concerns } = judge({ workers: this.workers, counts: this.counts, stats: this.stats });
    say(byId("verdict"), headline);
    byId("verdict").classList.toggle("alarm", concerns.length > 0);
    const list = byId("concerns");
    const lines = concerns.map(({ text, href }, i) => {
      const line = list.querySelector(`li:nth-of-type(${i + 1})`) ?? h("li", {}, icon("fatal"), h("a", {}));
      set(line.lastElementChild, "href", href);
      say(line.lastElementChild, text);
      return line;
    });
    arrange(list, lines);
    say(byId("sentence"), this.sentence());
    showTrouble(concerns.length);
  }

  sentence() {
    const slots = this.workers.filter(({ pool }) => pool !== null);
    const ready = slots.filter(({ state }) => state === "ready").length;
    const parts = [`${ready} of ${some(slots.length, "worker")} ready`];
    if (this.stats) {
      const { done, failed } = this.stats.throughput.last_5_min;
      parts.push(done + failed ? `${some(done + failed, "job")} ended in the last 5 minutes, ${failed ? count(failed) : "none"} failed` : "no job ended in the last 5 minutes");
    }
    if (this.counts.in_progress) parts.push(`${count(this.counts.in_progress)} in progress`);
    return parts.join(" · ");
  }

  showStats() {
    const { throughput, wait_s, run_s, oldest_pending_s, database_bytes, wal_bytes } = this.stats;
    const total = ({ done, failed, cancelled }) => done + failed + cancelled;
    const share = ({ done, failed }) => (done + failed ? failed / (done + failed) : null);
    const failing = (span) => (share(span) === null ? "–" : percent(share(span)));
    say(byId("per-minute"), rate(total(throughput.last_5_min) / 5));
    say(byId("failure-rate"), failing(throughput.last_5_min));
    byId("failure-rate").classList.toggle("bad", share(throughput.last_5_min) >= ALARMING_SHARE);
    say(byId("failure-rate-hour"), `5 min · hour ${failing(throughput.last_hour)}`);
    for (const [name, { p50, p95 }] of [["wait", wait_s], ["run", run_s]]) {
      say(byId(`${name}-p50`), p50 === null ? "–" : duration(p50));
      say(byId(`${name}-p95`), p95 === null ? "no job yet" : `p95 ${duration(p95)}`);
    }
    say(byId("oldest"), oldest_pending_s === null ? "none" : duration(oldest_pending_s));
    say(byId("oldest-note"), oldest_pending_s === null ? "nothing waits" : "has waited");
    say(byId("database"), bytes(database_bytes));
    say(byId("wal"), `log ${bytes(wal_bytes)}`);
    drawMinutes(byId("pulse"), throughput.by_minute);
    if (this.seen) this.showVerdict();
  }
}
