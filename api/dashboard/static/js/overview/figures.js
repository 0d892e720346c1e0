// The top of the overview: health, counts by status, and the figures of GET /stats.
import { byId, h, setAttr, setText, showOrHide } from "../base/dom.js";
import { drawMinutes } from "../base/charts.js";
import { request } from "../base/http.js";
import { ENDED, brief, bytes, count, duration, percent, rate, plural } from "../base/words.js";
import { RateMeter } from "../base/rate.js";
import { Refresh } from "../frame/refresh.js";
import { minute, setTime } from "../base/time.js";
import { Concerns } from "./concerns.js";
import { ALARMING_SHARE } from "../base/verdict.js";
import { showProblemCount } from "../frame/chrome.js";

const EVERY_MS = 5000;

export class Figures {
  constructor() {
    /** @type {any} */
    this.stats = null;
    this.meter = new RateMeter(10);
    this.concerns = new Concerns();
    this.refresh = new Refresh(() => this.read(), { every: EVERY_MS, whileHidden: true, told: (error) => showOrHide(byId("stale"), error && `What stands here is old, as it cannot be read: ${error.message}`) });
    this.oldestQueue = h("a");
    this.refresh.now();
  }

  async read() {
    this.stats = await request("/stats");
    this.showStats();
  }

  /** Show the counts and workers of a hello or a heartbeat. @param {{counts: Record<string, number>, workers: any[]}} message */
  showStatus({ counts, workers }) {
    const pace = this.meter.push(ENDED.reduce((sum, status) => sum + (counts[status] ?? 0), 0));
    this.counts = counts;
    this.workers = workers;
    for (const item of byId("counts").children) {
      const n = counts[item.dataset.status] ?? 0;
      setText(item.querySelector("b"), count(n));
      item.classList.toggle("none", n === 0);
    }
    setText(byId("now-rate"), pace === null ? "\u00a0" : pace ? `now ${rate(pace)} a second` : "none right now");
    setText(byId("sentence"), this.sentence());
    this.readIfWorkersChanged();
  }

  /** Ask for the verdict at once if it may be another, as the state of a worker has changed. */
  readIfWorkersChanged() {
    const states = JSON.stringify(this.workers.map(({ host, slot, state, degraded, silent, reason }) => [host, slot, state, degraded, silent, reason]));
    if (states === this.states) return;
    this.states = states;
    this.refresh.soon();
  }

  showVerdict() {
    const { headline, concerns } = this.stats.verdict;
    setText(byId("verdict"), headline);
    byId("verdict").classList.toggle("alarm", concerns.length > 0);
    this.concerns.show(concerns);
    showProblemCount(concerns.length);
  }

  sentence() {
    const slots = this.workers.filter(({ pool, role, leaves }) => pool !== null && role !== "program" && !leaves);
    const silent = slots.filter((one) => one.silent).length;
    const ready = slots.filter(({ state }) => state === "ready").length - silent;
    const parts = [`${ready} of ${plural(slots.length, "worker")} ready${silent ? `, ${silent} silent` : ""}`];
    if (this.stats) {
      const { done, failed, cancelled, since } = this.stats.throughput.last_5_min, ended = done + failed + cancelled;
      parts.push(ended ? `${plural(ended, "job")} ended since ${minute(since)}, ${failed ? count(failed) : "none"} failed${cancelled ? `, ${count(cancelled)} cancelled` : ""}` : `no job ended since ${minute(since)}`);
    }
    if (this.counts.in_progress) parts.push(`${count(this.counts.in_progress)} in progress`);
    return parts.join(" · ");
  }

  showStats() {
    if (this.workers) setText(byId("sentence"), this.sentence());
    const { throughput, wait_s, run_s, oldest_pending_s, oldest_pending_queue: queue, database_bytes, wal_bytes } = this.stats;
    const share = ({ done, failed }) => (done + failed ? failed / (done + failed) : null);
    const failing = (span) => (share(span) === null ? "–" : percent(share(span)));
    setText(byId("per-minute"), rate(throughput.ended_per_minute));
    document.querySelectorAll(".measures time").forEach((time) => setTime(time, throughput.last_5_min.since));
    setText(byId("failure-rate"), failing(throughput.last_5_min));
    byId("failure-rate").classList.toggle("bad", share(throughput.last_5_min) >= ALARMING_SHARE);
    setText(byId("failure-rate-hour"), `hour ${failing(throughput.last_hour)}`);
    for (const [name, { p50, p95 }] of [["wait", wait_s], ["run", run_s]]) {
      setText(byId(`${name}-p50`), p50 === null ? "–" : brief(p50));
      setText(byId(`${name}-p95`), p95 === null ? "no job yet" : `p95 ${duration(p95)}`);
    }
    setText(byId("oldest"), oldest_pending_s === null ? "none" : brief(oldest_pending_s));
    this.showOldestQueue(queue);
    setText(byId("database"), bytes(database_bytes));
    setText(byId("wal"), `log ${bytes(wal_bytes)}`);
    drawMinutes(byId("pulse"), throughput.by_minute);
    this.showVerdict();
  }

  /** Name the queue, always by the same link: it may have the focus. @param {string | null} queue */
  showOldestQueue(queue) {
    const note = byId("oldest-note"), link = this.oldestQueue;
    if (queue === null) {
      if (document.activeElement === link) byId("verdict").focus({ preventScroll: true });
      return setText(note, "no job is due");
    }
    setAttr(link, "href", `/ui/queues#queue-${queue}`);
    setAttr(link, "title", `Queue ${queue}`);
    setText(link, queue);
    if (!link.isConnected) note.replaceChildren("in ", link);
  }
}
