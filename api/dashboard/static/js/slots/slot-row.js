// One row of the worker panel: how a slot is, why, what it runs, and what that costs.
import { h, icon, setAttr, setText } from "../base/dom.js";
import { Sparkline, WorkChart } from "../base/charts.js";
import { RateMeter } from "../base/rate.js";
import { SlotFold } from "./slot-fold.js";
import { failureText, iconOf, leftText, lookOf, whyText } from "../base/slot-state.js";
import { between } from "../base/time.js";
import { idOfSlot } from "../base/verdict.js";
import { bytes, count, rate, rounded, spaced, ticking } from "../base/words.js";

const WHY = {
  starting: "not ready yet", draining: "finishes its job", stopping: "was asked to stop",
  killing: "being killed", backoff: "starts again soon", fatal: "failed; one try every 5 min", stuck: "SIGKILL does not end it",
  down: "stopped by an operator or the configuration",
};
const WHY_PROGRAM = { down: "waits for its turn, or was stopped" };
const RATE_S = 10, RATE_KNOWN_S = 5;
const FRESH_S = 3;

/** The age of a heartbeat: seconds are shown only if it is late. @param {number | null} age */
const ageOfBeat = (age) => (age === null ? "–" : age < FRESH_S ? `< ${FRESH_S} s` : `${Math.round(age)} s`);

export class SlotRow {
  /** @param {any} worker @param {boolean} several whether there are other hosts */
  constructor({ host, slot, pool, role }, several) {
    this.isProgram = role === "program";
    this.hasJobs = pool !== null && !this.isProgram;
    this.cpu = new Sparkline(`CPU of ${slot}`, 100);
    this.rss = new Sparkline(`Memory of ${slot}`);
    this.workChart = new WorkChart();
    this.rate = new RateMeter(RATE_S, RATE_KNOWN_S);
    this.shortRate = new RateMeter(2);
    const cell = (name, ...children) => (this[name] = h("span", { role: "cell", class: name }, ...children));
    this.pid = h("small", {});
    this.word = h("b", {});
    this.why = h("small", {});
    this.link = h("a", {});
    this.others = h("small", {});
    const output = `/ui/programs/${encodeURIComponent(slot)}${several ? `?host=${encodeURIComponent(host)}` : ""}`;
    this.output = this.isProgram ? h("a", { href: output, "aria-label": `Output of ${slot}` }, "output") : "";
    this.bar = h("progress", { max: 1, "aria-label": `Progress of the job of ${slot}` });
    this.ran = h("small", {});
    this.note = h("small", { class: "note" });
    this.cpuText = h("span", { class: "value" });
    this.rssText = h("span", { class: "value" });
    this.fold = new SlotFold({ host, slot, pool, role }, several);
    this.node = h("div", { role: "row", class: `slot${pool === null ? " system" : ""}` },
      cell("name", nameNode(slot), this.pid),
      cell("state", h("span", { class: "mark" }), this.word, this.why),
      cell("now", h("span", { class: "first" }, this.link, this.others), h("span", { class: "line" }, this.bar, this.ran, this.note)),
      cell("work", this.hasJobs ? this.workChart.node : this.output),
      cell("jobs"),
      cell("cpu-cell", this.cpu.node, this.cpuText),
      cell("rss-cell", this.rss.node, this.rssText),
      cell("beat"), cell("up"),
      cell("restarts"), cell("more", this.fold.button));
  }

  /** Take the measures of a second. @param {any} worker */
  keep(worker) {
    this.pace = this.rate.push(worker.jobs_done);
    this.workChart.keep(this.shortRate.push(worker.jobs_done) ?? 0, !!worker.job);
    this.cpu.keep(worker.cpu_percent);
    this.rss.keep(worker.rss_bytes);
  }

  /** @param {any} worker @param {any} supervisor the row of that of its host, if there is one @param {boolean} several */
  show(worker, supervisor, several) {
    setAttr(this.node, "id", idOfSlot(several ? `${worker.slot} on ${worker.host}` : worker.slot));
    this.node.classList.toggle("target", location.hash === `#${this.node.id}`); // `:target` does not match rows that came after the page
    setText(this.pid, worker.pid ? `pid ${worker.pid}` : "no process");
    setAttr(this.name, "title", `${worker.slot}, ${this.pid.textContent}`);
    this.busy = !!worker.job || (this.pace ?? 0) >= 1;
    this.showState(worker);
    this.showJob(worker, this.pace);
    setText(this.jobs, this.hasJobs ? count(worker.jobs_done) : "");
    for (const chart of [this.cpu, this.rss, this.workChart]) chart.draw();
    setText(this.cpuText, worker.cpu_percent === null ? "–" : `${worker.cpu_percent.toFixed(worker.cpu_percent < 10 ? 1 : 0)} %`);
    setText(this.rssText, worker.rss_bytes === null ? "–" : bytes(worker.rss_bytes));
    setText(this.beat, ageOfBeat(worker.heartbeat_age_s));
    this.beat.classList.toggle("bad", worker.silent);
    setText(this.up, worker.uptime_s === null ? "–" : rounded(worker.uptime_s));
    setText(this.restarts, count(worker.restarts));
    this.restarts.classList.toggle("none", !worker.restarts);
    this.restarts.classList.toggle("one", worker.restarts === 1);
    this.fold.show(worker, supervisor, several);
  }

  showState(worker) {
    const { state, degraded, silent } = worker, look = lookOf(worker);
    if (this.look !== look) {
      this.look = look;
      setAttr(this.node, "data-state", look);
      this.state.firstElementChild.replaceChildren(icon(iconOf(look)));
    }
    setText(this.word, degraded ? `${spaced(state)}, degraded` : silent ? `${spaced(state)}, silent` : spaced(state));
    const known = (this.isProgram ? WHY_PROGRAM[state] : null) ?? WHY[state];
    const left = leftText(worker);
    const given = state === "backoff" ? [worker.reason, left || WHY.backoff].filter(Boolean).join("; ") : whyText(worker) || known;
    const failure = failureText(worker), alone = worker.runs_alone ? "runs alone, after a crash" : "";
    const reason = (state === "starting" ? [given, failure].filter(Boolean).join("; ") : given) || (silent ? `no heartbeat for ${rounded(worker.heartbeat_age_s)}` : "") || [alone, failure].filter(Boolean).join("; ");
    const why = reason || (this.hasJobs ? this.busy ? "working" : "idle" : "");
    this.node.classList.toggle("failed-lately", !!failure);
    setAttr(this.restarts, "title", failure || null);
    setText(this.why, why);
    setAttr(this.why, "title", why);
  }

  /** Show the running job; if jobs change too fast to read (or before that is known), show how many end per second. @param {any} worker @param {number | null} pace */
  showJob({ job, jobs_in_progress: held, places: most, runs_alone: alone, state }, pace) {
    const places = alone ? 1 : most;
    const shown = job?.started_at && ((pace !== null && pace < 1) || between(job.started_at) > 1) ? job : null;
    this.job = shown;
    setAttr(this.link, "hidden", !shown);
    const running = held > places ? places : held, next = held > places ? `+ ${count(held - places)} next` : ""; // prefetched
    setText(this.others, [running > 1 && (shown ? `+ ${count(running - 1)} more` : `${count(running)} jobs`), shown && next].filter(Boolean).join(" "));
    setAttr(this.bar, "hidden", (shown?.progress ?? null) === null);
    if (shown) {
      setAttr(this.link, "href", `/ui/jobs/${shown.id}`);
      setText(this.link, `${shown.type} ${shown.id}`);
      setAttr(this.link, "title", shown.type);
      if (shown.progress !== null) this.bar.value = shown.progress;
    }
    this.rateText = !this.hasJobs || state !== "ready" || pace === null ? "" : pace < 0.1 ? "–" : `${rate(pace)} a second`;
    this.tick();
  }

  tick() {
    const job = this.job;
    setText(this.ran, job ? ticking(between(job.started_at)) : this.rateText);
    setText(this.note, job?.message ? `· ${job.message}` : "");
    setAttr(this.note, "title", job?.message || null);
  }
}

/** The name of a slot. If it has to be cut, its number stays: that alone tells it from the others of its pool. @param {string} slot */
function nameNode(slot) {
  const number = /-?\d+$/.exec(slot)?.[0] ?? "";
  const rest = h("span", {}, slot.slice(0, slot.length - number.length));
  rest.style.setProperty("--number", `${number.length}ch`);
  return h("b", {}, rest, number);
}
