// One slot: a row with its name and its job, or with what is wrong; and, behind ⋯, its process, actions and exits.
import { base } from "../base/base.js";
import { copyButton } from "../base/dom.js";
import { line } from "../base/charts.js";
import { onHost, request } from "../base/http.js";
import { html, icon, nothing } from "../base/lit.js";
import { RateMeter } from "../base/rate.js";
import { awayText, causeText, failureText, iconOf, isReplaced, leftText, lookOf, runningOf, runsText } from "../base/slot-state.js";
import { stackNodes } from "../base/stack.js";
import { between, now, timeOf } from "../base/time.js";
import { idOfSlot } from "../base/verdict.js";
import { bytes, count, plural, rate, rounded, spaced, ticking } from "../base/words.js";
import { confirm } from "../frame/confirm.js";
import { Exits } from "./exits.js";

const SECONDS = 60; // that the lines show
const STOPPED = new Set(["down", "backoff", "fatal"]);
const CAN_DRAIN = new Set(["ready", "starting", "backoff", "fatal"]);
const NEEDS = { restart: "operator", drain: "admin" };
const STAYS = "stays down until you start it or Orpheus restarts";
const MEANINGS = {
  starting: "The process has started but is not ready yet.", stopping: "It was asked to stop and will be killed if it does not.",
  killing: "It is being killed.", fatal: "It keeps failing. Orpheus tries again every 5 minutes. Fix the cause, then start it.",
  stuck: "SIGKILL did not end it: the kernel holds the process, often because of a disk. Other workers take its jobs, and a new process replaces it.",
  backoff: "It is down and restarts automatically. You can also start it now.", down: "It has no process until you start it or Orpheus restarts.",
};

export class Slot {
  /** @param {() => void} changed called when it has to be drawn again */
  constructor(changed) {
    this.changed = changed;
    this.exits = new Exits();
    this.pace = new RateMeter(10, 5);
    /** @type {Record<"cpu" | "memory", (number | null)[]>} */
    this.lines = { cpu: [], memory: [] };
    this.result = this.problem = "";
    /** @type {any} */
    this.stack = null;
  }

  /** Take what a heartbeat says. @param {any} worker @param {boolean} isSupervised @param {boolean} several whether there are other hosts */
  take(worker, isSupervised, several) {
    const before = this.worker;
    Object.assign(this, { worker, isSupervised, several });
    if (before?.incarnation !== worker.incarnation) this.result = this.problem = "";
    this.perSecond = this.pace.push(worker.jobs_done);
    this.lines = { cpu: [...this.lines.cpu, worker.cpu_percent].slice(-SECONDS), memory: [...this.lines.memory, worker.rss_bytes].slice(-SECONDS) };
    this.isBusy = !!worker.job || (this.perSecond ?? 0) >= 1;
    if (worker.last_exit) this.exits.add([worker.last_exit]);
    if (this.isOpen && before?.last_exit?.at !== worker.last_exit?.at) this.readExits(); // there may have been others before it
  }

  /** Of its row. */
  get id() { return idOfSlot(this.several ? `${this.worker.slot} on ${this.worker.host}` : this.worker.slot); }

  get isProgram() { return this.worker.role === "program"; }

  /** The row, and what is unfolded below it. */
  row() {
    const { slot, host, message = this.worker.job?.message } = this.worker, look = lookOf(this.worker), why = this.why(), { id } = this;
    const fold = this.several ? `more-${host}-${slot}` : `more-${slot}`;
    return html`<div class="slot ${location.hash === `#${id}` ? "target" : ""} ${why ? "unwell" : ""}" id=${id} data-state=${look}>
      <span class="name" title=${slot}><span class="mark">${icon(iconOf(look))}</span><b>${slot}</b></span>
      <span class="now" title=${why || message || nothing}>${why ? html`<span class="why">${why}</span>` : this.work()}</span>
      <button type="button" class="quiet more" aria-expanded=${String(!!this.isOpen)} aria-controls=${fold} aria-label="Details of ${slot}: actions and exits" @click=${() => this.toggle()}>⋯</button></div>
      <div class="fold" id=${fold} ?hidden=${!this.isOpen}>${this.isOpen ? this.details() : nothing}</div>`;
  }

  /** What is wrong; empty if nothing is. */
  why() {
    const { state, degraded, silent, heartbeat_age_s: age, ended, runs_alone: alone } = this.worker;
    if (state === "ready" && !degraded && !silent) return alone ? "runs one job alone, after a crash" : failureText(this.worker);
    if (this.isProgram && ended) return "";
    const word = state === "ready" ? (degraded ? "degraded" : `no heartbeat for ${rounded(age)}`) : state !== "backoff" && spaced(state);
    return [word, this.worker.reason, leftText(this.worker), state === "starting" && failureText(this.worker)].filter(Boolean).join(" · ");
  }

  /** Its job; if jobs change too fast to be read, how many end in a second. */
  work() {
    const { job, jobs_in_progress: held, places, runs_alone: alone, pool, slot, host, ended } = this.worker;
    if (this.isProgram) {
      return html`${ended ? html`<span class="hint">ended normally</span> ` : nothing}<a href="${base}/ui/programs/${encodeURIComponent(slot)}${onHost(host, this.several)}" aria-label="Output of ${slot}">output</a>`;
    }
    if (pool === null) return nothing;
    const isReadable = job?.started_at && ((this.perSecond !== null && this.perSecond < 1) || between(job.started_at) > 1);
    if (!isReadable) return html`<span class="hint">${!this.isBusy ? "idle" : this.perSecond ? `${rate(this.perSecond)} jobs a second` : "working"}</span>`;
    const running = Math.min(held, alone ? 1 : places);
    return html`<a href="${base}/ui/jobs/${job.id}">${job.type} ${job.id}</a>${job.progress === null || job.progress === undefined ? nothing : html` <progress max="1" .value=${job.progress} aria-label="Progress of the job of ${slot}"></progress>`}
      <small>${ticking(between(job.started_at))}${running > 1 ? ` + ${count(running - 1)} more` : ""}</small>`;
  }

  toggle() {
    this.isOpen = !this.isOpen;
    if (this.isOpen) this.readExits();
    this.changed();
  }

  /** Read the recent exits; the stream carries only the last one. */
  async readExits() {
    try {
      const { items } = await request("/workers");
      this.exits.add(items.find((/** @type {any} */ { host, slot }) => host === this.worker.host && slot === this.worker.slot)?.recent_exits ?? []);
    } catch { /* the last exit is shown, and the banner shows that nothing answers */ }
  }

  details() {
    const { pid, heartbeat_age_s: beat, uptime_s: up, restarts, jobs_done: done, cpu_percent: cpu, rss_bytes: memory, pool, slot } = this.worker;
    const fact = (/** @type {string} */ name, /** @type {string} */ value, /** @type {any} */ chart = nothing) => html`<div class=${name}><dt>${name}</dt><dd>${value} ${chart}</dd></div>`;
    const meaning = this.meaning();
    return html`${meaning ? html`<p class="why">${meaning}</p>` : nothing}${this.actions()}
      <dl class="facts">${fact("pid", pid ? String(pid) : "no process")}${fact("heartbeat", beat === null ? "–" : beat < 3 ? "< 3 s ago" : `${Math.round(beat)} s ago`)}
        ${fact("up", up === null ? "–" : rounded(up))}${fact("restarts", count(restarts))}${pool === null || this.isProgram ? nothing : fact("done", count(done))}
        ${fact("CPU", cpu === null ? "–" : `${cpu.toFixed(cpu < 10 ? 1 : 0)} %`, line(`CPU of ${slot} in the last 60 s`, this.lines.cpu, { least: 100 }))}
        ${fact("memory", memory === null ? "–" : bytes(memory), line(`Memory of ${slot} in the last 60 s`, this.lines.memory, { fromZero: false }))}</dl>
      ${this.stack ? html`<div class="stack"><p class="bar"><span class="summary">Stack of pid ${this.stack.pid}, ${timeOf(this.stack.at)}${this.stack.job ? html`, running <a href="${base}/ui/jobs/${this.stack.job.id}">${this.stack.job.type} ${this.stack.job.id}</a>` : ", with no running job"}</span>${this.stack.copy}</p>${this.stack.nodes}</div>` : nothing}
      <h3>Exits <span class="unit">newest first</span></h3>${this.exits.node}`;
  }

  /** The buttons. While the slot exists they are only marked as off: a heartbeat must not take the focus of a keyboard user. */
  actions() {
    const { slot, state, pid, pool } = this.worker, away = awayText(this.worker);
    if (!this.isSupervised || slot === "supervisor" || slot.includes("@")) return nothing; // nothing restarts these
    const button = (/** @type {string} */ name, /** @type {string} */ text, /** @type {boolean} */ isOff, /** @type {() => any} */ act) => html`<button type="button" data-action=${name} data-needs=${NEEDS[name] ?? nothing}
      aria-disabled=${isOff ? "true" : nothing} title=${away || nothing} @click=${() => isOff || act()}>${text}</button>`;
    return html`<div class="bar">${button("restart", STOPPED.has(state) ? "Start …" : "Restart …", away !== "", () => this.ask("restart"))}
      ${pool === null ? nothing : button("drain", "Drain …", away !== "" || !CAN_DRAIN.has(state), () => this.ask("drain"))}
      ${this.isProgram ? nothing : button("stack", "Show stack", !pid || !!this.isAsking, () => this.dump())}
      <span class="hint" role="status">${this.result}</span></div><p class="problem" role="alert" ?hidden=${!this.problem}>${this.problem}</p>`;
  }

  /** What its state means, and why it is so. */
  meaning() {
    const { state, degraded, waits, why, jobs_in_progress: held, places, runs_alone: alone } = this.worker, left = leftText(this.worker), cause = causeText(this.worker);
    if (waits && state !== "fatal") return [`It ${waits} and then starts automatically.`, why && `Why: ${why}`].filter(Boolean).join(" ");
    const drains = state === "draining" && `It finishes its ${runningOf(this.worker) > 1 ? "jobs" : "job"}, takes no other, and then ${isReplaced(this.worker) ? "starts again" : "stops"}.`;
    return [drains || MEANINGS[/** @type {keyof typeof MEANINGS} */ (state)], left && !cause.includes(left) && `It ${left}.`, degraded && "It is degraded.",
      held > 1 && `It holds ${plural(held, "job")} and runs ${alone ? "1 alone" : `at most ${count(places)} at once`}.`, cause && `Why: ${cause}`].filter(Boolean).join(" ");
  }

  /** @param {string} action */
  path(action) { return `/workers/${this.worker.slot}/${action}${onHost(this.worker.host, this.several)}`; }

  /** @param {"restart" | "drain"} action */
  ask(action) {
    const { slot, state } = this.worker, verb = action === "drain" ? "Drain" : STOPPED.has(state) ? "Start" : "Restart";
    confirm({ title: `${verb} ${slot}?`, text: consequence(action, this.worker), yes: `${verb} it`, no: "Keep running", path: this.path(action), done: () => { this.result = `${verb} requested.`; this.changed(); } });
  }

  async dump() {
    this.isAsking = true;
    Object.assign(this, { result: "Waiting for the answer …", problem: "" });
    this.changed();
    try {
      const answer = await request(this.path("stack"));
      this.stack = { ...answer, copy: copyButton(() => answer.stack), nodes: stackNodes(answer.stack, `Stack of ${this.worker.slot}`) };
    } catch (error) {
      this.problem = html`No stack of ${this.worker.slot}, ${timeOf(new Date(now()).toISOString())}: ${/** @type {Error} */ (error).message}`;
    }
    Object.assign(this, { result: "", isAsking: false });
    this.changed();
  }
}

/** What a restart or a drain will do. @param {"restart" | "drain"} action @param {any} worker */
function consequence(action, worker) {
  const { slot, role, pool, pid, state } = worker;
  if (action === "restart" && STOPPED.has(state)) return "It starts now.";
  if (!pid) return `It has no process and ${STAYS}.`;
  const then = `Then it ${action === "drain" ? STAYS : "starts again"}.`;
  if (pool === null) return `The ${slot === "api" ? "API" : slot} is unavailable for a moment. This page reconnects automatically.`;
  if (role === "program") return `It will be asked to stop, then killed if it does not. ${then}`;
  const runs = runsText(worker), them = runningOf(worker) > 1 ? "them" : "it";
  return `${runs ? `It runs ${runs} and finishes ${them} first, or releases ${them} after supervisor.drain_timeout. ` : ""}It takes no other job. ${then}`;
}
