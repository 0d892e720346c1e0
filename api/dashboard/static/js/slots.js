// The worker panel: one row for each slot, updated in place with every heartbeat.
import { arrange, byId, h, icon, setAttr, setText } from "./dom.js";
import { Sparkline, WorkChart } from "./charts.js";
import { request } from "./http.js";
import { RateMeter } from "./rate.js";
import { Pools } from "./pools.js";
import { SlotFold } from "./slot-fold.js";
import { between, everySecond } from "./time.js";
import { bytes, count, plural, rate, spaced, ticking } from "./words.js";

const ICONS = {
  ready: "ready", starting: "starting", draining: "stopping", stopping: "stopping", killing: "failed",
  backoff: "backoff", fatal: "fatal", stuck: "fatal", down: "down",
};
const WHY = {
  starting: "not ready yet", draining: "finishes its job, then stops", stopping: "was asked to stop",
  killing: "being killed", backoff: "starts again soon", fatal: "failed too often; one try every 5 min", stuck: "SIGKILL does not end it",
  down: "stopped by an operator or the configuration",
};
const WHY_PROGRAM = { down: "waits for its turn, or was stopped" };
const STALE_BEAT_S = 6;

export class Slots {
  constructor() {
    /** @type {Map<string, SlotRow>} */
    this.rows = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.heads = new Map();
    this.pools = new Pools();
    const panel = byId("workers");
    if (localStorage.getItem("orpheus.workers") === "folded") panel.open = false;
    panel.addEventListener("toggle", () => localStorage.setItem("orpheus.workers", panel.open ? "open" : "folded"));
    everySecond(() => this.rows.forEach((row) => row.tick()));
  }

  /** Fill the charts with the last minute, which the API keeps, and learn of pools without a slot. */
  async begin() {
    try {
      const { items, pools } = await request("/workers?samples=true");
      for (const worker of items) this.rows.get(keyOf(worker))?.begin(worker.samples);
      this.pools.configured = pools;
    } catch { /* the charts fill as time passes */ }
  }

  /** @param {any[]} workers as GET /workers gives them */
  show(workers) {
    const hosts = Map.groupBy(workers, ({ host }) => host);
    const several = hosts.size > 1;
    const supervised = new Set(workers.filter(({ slot }) => slot === "supervisor").map(({ host }) => host));
    const nodes = [...hosts].flatMap(([host, members]) => [
      ...several ? [this.headOf(host)] : [],
      ...members.sort(byRole).flatMap((worker) => {
        const row = this.rows.get(keyOf(worker)) ?? new SlotRow(worker, several);
        this.rows.set(keyOf(worker), row);
        row.show(worker, supervised.has(host), several);
        return [row.node, row.fold.node];
      }),
    ]);
    const body = byId("slots");
    const nextFocus = this.nextFocus(body, nodes);
    const present = new Set(workers.map(keyOf));
    for (const key of this.rows.keys()) if (!present.has(key)) this.rows.delete(key);
    for (const host of this.heads.keys()) if (!hosts.has(host)) this.heads.delete(host);
    arrange(body, nodes);
    nextFocus?.focus({ preventScroll: true });
    this.pools.show(workers, supervised);
    setText(byId("workers-summary"), this.summary(workers));
  }

  /** Return the row above those of a host, the same at each heartbeat. @param {string} host */
  headOf(host) {
    const head = this.heads.get(host) ?? h("div", { role: "row", class: "host" }, h("h3", { role: "cell" }, host));
    this.heads.set(host, head);
    return head;
  }

  /** Return where the focus goes if its row disappears: to the nearest row that stays. */
  nextFocus(body, nodes) {
    const rows = [...body.children];
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    if (focused < 0 || nodes.includes(rows[focused])) return null;
    const near = [...rows.slice(focused), ...rows.slice(0, focused).reverse()].find((row) => nodes.includes(row));
    return near?.querySelector(".more button") ?? byId("workers").querySelector("summary");
  }

  /** @param {any[]} workers */
  summary(workers) {
    /** @type {Record<string, number>} */
    const states = {}, programs = workers.filter(({ role }) => role === "program");
    for (const worker of workers) {
      const { pool, role, state } = worker;
      if (pool === null || role === "program") continue;
      const word = state !== "ready" ? state : this.rows.get(keyOf(worker))?.busy ? "working" : "idle";
      states[word] = (states[word] ?? 0) + 1;
    }
    const up = programs.filter(({ state }) => state === "ready").length;
    const others = programs.length ? [`${up} of ${plural(programs.length, "program")} ready`] : [];
    return [...Object.entries(states).map(([word, n]) => `${n} ${word}`), ...others].join(" · ") || "none";
  }
}

/** Return what names a slot among those of all hosts. @param {{host: string, slot: string}} worker */
function keyOf({ host, slot }) {
  return `${host} ${slot}`;
}

function byRole(a, b) {
  return rankOf(a) - rankOf(b) || a.slot.localeCompare(b.slot, "en", { numeric: true });
}

/** Return where a slot stands: workers first, then programs, then what runs them. */
function rankOf({ pool, role }) {
  return pool === null ? 2 : Number(role === "program");
}

class SlotRow {
  /** @param {any} worker @param {boolean} several whether there are other hosts */
  constructor({ host, slot, pool, role }, several) {
    this.isProgram = role === "program";
    this.hasJobs = pool !== null && !this.isProgram;
    this.cpu = new Sparkline(`CPU of ${slot}`, 60, 100);
    this.rss = new Sparkline(`Memory of ${slot}`, 60);
    this.workChart = new WorkChart();
    this.rate = new RateMeter(10);
    this.shortRate = new RateMeter(2);
    const cell = (name, ...children) => (this[name] = h("span", { role: "cell", class: name }, ...children));
    this.pid = h("small", {});
    this.word = h("b", {});
    this.why = h("small", {});
    this.link = h("a", {});
    const output = `/ui/programs/${encodeURIComponent(slot)}${several ? `?host=${encodeURIComponent(host)}` : ""}`;
    this.output = this.isProgram ? h("a", { href: output, "aria-label": `Output of ${slot}` }, "output") : "";
    this.bar = h("progress", { max: 1, "aria-label": `Progress of the job of ${slot}` });
    this.note = h("small", {});
    this.cpuText = h("span", { class: "value" });
    this.rssText = h("span", { class: "value" });
    this.fold = new SlotFold({ host, slot, pool, role }, several);
    this.node = h("div", { role: "row", class: `slot${pool === null ? " system" : ""}` },
      cell("name", h("b", {}, slot), this.pid),
      cell("state", h("span", { class: "mark" }), this.word, this.why),
      cell("now", this.link, this.bar, this.note),
      cell("work", this.hasJobs ? this.workChart.node : this.output),
      cell("jobs"),
      cell("cpu-cell", this.cpu.node, this.cpuText),
      cell("rss-cell", this.rss.node, this.rssText),
      cell("beat"), cell("up"),
      cell("restarts"), cell("more", this.fold.button));
  }

  /** @param {{cpu_percent: (number | null)[], rss_bytes: (number | null)[], jobs_done: number[], working: boolean[]}} samples */
  begin({ cpu_percent: cpu, rss_bytes: rss, jobs_done: done, working }) {
    this.cpu.begin(cpu);
    this.rss.begin(rss);
    this.workChart.begin(done, working);
  }

  /** @param {any} worker @param {boolean} supervised @param {boolean} several */
  show(worker, supervised, several) {
    setText(this.pid, worker.pid ? `pid ${worker.pid}` : "no process");
    const pace = this.rate.push(worker.jobs_done) ?? 0;
    this.busy = !!worker.job || pace >= 1;
    this.showState(worker);
    this.workChart.push(this.shortRate.push(worker.jobs_done) ?? 0, !!worker.job);
    this.showJob(worker, pace);
    setText(this.jobs, this.hasJobs ? count(worker.jobs_done) : "");
    this.cpu.push(worker.cpu_percent);
    this.rss.push(worker.rss_bytes);
    setText(this.cpuText, worker.cpu_percent === null ? "–" : `${worker.cpu_percent.toFixed(worker.cpu_percent < 10 ? 1 : 0)} %`);
    setText(this.rssText, worker.rss_bytes === null ? "–" : bytes(worker.rss_bytes));
    const age = worker.heartbeat_age_s;
    setText(this.beat, age === null ? "–" : `${Math.round(age)} s`);
    this.beat.classList.toggle("bad", age !== null && age > STALE_BEAT_S);
    setText(this.up, worker.uptime_s === null ? "–" : ticking(worker.uptime_s));
    setText(this.restarts, count(worker.restarts));
    this.fold.show(worker, supervised, several);
  }

  showState({ state, degraded, reason }) {
    const look = degraded && state === "ready" ? "degraded" : state;
    if (this.look !== look) {
      this.look = look;
      setAttr(this.node, "data-state", look);
      this.state.firstElementChild.replaceChildren(icon(look === "degraded" ? "degraded" : ICONS[state] ?? "down"));
    }
    setText(this.word, degraded ? `${spaced(state)}, degraded` : spaced(state));
    const known = (this.isProgram ? WHY_PROGRAM[state] : null) ?? WHY[state];
    const given = state === "backoff" && reason ? `${WHY.backoff}: ${reason}` : reason || known;
    const why = given || (this.hasJobs ? this.busy ? "working" : "idle" : "");
    setText(this.why, why);
    setAttr(this.why, "title", why);
  }

  /** Show the running job; if jobs change too fast to read, show how many end per second. */
  showJob({ job, state }, pace) {
    const shown = job?.started_at && (pace < 1 || between(job.started_at) > 1) ? job : null;
    this.job = shown;
    setAttr(this.link, "hidden", !shown);
    setAttr(this.bar, "hidden", (shown?.progress ?? null) === null);
    if (shown) {
      setAttr(this.link, "href", `/ui/jobs/${shown.id}`);
      setText(this.link, `${shown.type} ${shown.id}`);
      setAttr(this.link, "title", shown.type);
      if (shown.progress !== null) this.bar.value = shown.progress;
    }
    this.rateText = !this.hasJobs || state !== "ready" ? "" : pace < 0.1 ? "–" : `${rate(pace)} a second`;
    this.tick();
  }

  tick() {
    const job = this.job;
    const ran = job?.started_at ? ticking(between(job.started_at)) : "";
    setText(this.note, job ? [ran, job.message].filter(Boolean).join(" · ") : this.rateText);
  }
}
