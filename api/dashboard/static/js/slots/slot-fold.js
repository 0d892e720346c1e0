// The details below a slot's row: its state in a sentence, actions, stack and exits.
//
// While the slot exists, its buttons are never removed or disabled, only marked with aria-disabled: a
// heartbeat must not take the focus from a keyboard user.
import { copyButton, h, setAttr, setOff, setText, showOrHide } from "../base/dom.js";
import { Exits } from "./exits.js";
import { confirm } from "../frame/confirm.js";
import { stackNodes } from "../base/stack.js";
import { onHost, request } from "../base/http.js";
import { awayText, causeText, isReplaced, leftText, runningOf, runsText } from "../base/slot-state.js";
import { now, timeNode } from "../base/time.js";
import { count, plural } from "../base/words.js";

const STOPPED = new Set(["down", "backoff", "fatal"]);
const CAN_DRAIN = new Set(["ready", "starting", "backoff", "fatal"]);
const STAYS = "stays down until it is started, or Orpheus is restarted";
const MEANINGS = {
  starting: "Its process has started and is not ready yet.",
  stopping: "It was asked to stop, and is killed if it does not.",
  killing: "It is being killed.",
  stuck: "SIGKILL does not end it: the kernel holds it, often because of a disk. Its jobs go to other workers, and it is replaced.",
  fatal: "It failed, and is tried again every 5 minutes. Fix the cause, then start it.",
  backoff: "It is down and starts again automatically. You can also start it now.",
  down: "It has no process until it is started, or Orpheus is restarted.",
};

export class SlotFold {
  /** @param {{host: string, slot: string, pool: string | null, role?: string}} worker @param {boolean} several whether there are other hosts */
  constructor({ host, slot, pool, role }, several) {
    this.host = host;
    this.slot = slot;
    const id = several ? `more-${host}-${slot}` : `more-${slot}`;
    this.button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": id,
      "aria-label": `Details of ${slot}: actions and exits`, onclick: () => this.toggle() }, "⋯");
    const action = (name, label, act) => h("button", { type: "button", "data-action": name,
      onclick: (event) => event.currentTarget.ariaDisabled === "true" || act() }, label);
    this.restart = action("restart", "Restart …", () => this.ask("restart"));
    this.drain = action("drain", "Drain …", () => this.ask("drain"));
    this.stack = action("stack", "Show its stack", () => this.dump());
    this.drain.hidden = pool === null;
    this.stack.hidden = role === "program";
    this.result = h("span", { class: "hint", role: "status" });
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.why = h("p", { class: "why" });
    this.bar = h("div", { class: "bar" }, this.restart, this.drain, this.stack, this.result);
    this.dumped = h("div", { class: "stack" });
    this.jobs = h("p", { class: "hint", hidden: true });
    this.exits = new Exits();
    this.node = h("div", { role: "row", class: "fold", id, hidden: true }, h("div", { role: "cell" },
      this.why, this.bar, this.problem, this.dumped, this.jobs,
      h("h3", {}, "Exits ", h("span", { class: "unit" }, "the latest, newest first")), this.exits.node));
  }

  /** @param {string} action */
  path(action) { return `/workers/${this.slot}/${action}${onHost(this.host, this.several)}`; }

  toggle() {
    this.node.hidden = !this.node.hidden;
    setAttr(this.button, "aria-expanded", String(!this.node.hidden));
    if (!this.node.hidden) this.readExits();
  }

  /** Read the recent exits; the stream carries only the last one. */
  async readExits() {
    try {
      const { items } = await request("/workers");
      this.exits.add(items.find(({ host, slot }) => host === this.host && slot === this.slot)?.recent_exits ?? []);
    } catch { /* the last exit is shown, and the banner shows that nothing answers */ }
  }

  /** @param {any} worker @param {any} supervisor the row of that of its host, if there is one @param {boolean} several */
  show(worker, supervisor, several) {
    const { slot, state, pid, places, jobs_in_progress: held, runs_alone: alone } = worker;
    if (worker.incarnation !== this.worker?.incarnation) { setText(this.result, ""); showOrHide(this.problem, ""); }
    const isExitNew = worker.last_exit?.at !== this.worker?.last_exit?.at;
    this.worker = worker;
    this.several = several;
    showOrHide(this.why, meaningOf(worker));
    // The supervisor does not restart itself, and a worker started alone (POOL@PID) has no supervisor.
    setAttr(this.bar, "hidden", !supervisor || slot === "supervisor" || slot.includes("@"));
    setText(this.restart, STOPPED.has(state) ? "Start …" : "Restart …");
    const away = awayText(worker);
    setOff(this.restart, away !== "");
    setOff(this.drain, away !== "" || !CAN_DRAIN.has(state));
    for (const button of [this.restart, this.drain]) setAttr(button, "title", away || null);
    setOff(this.stack, !pid || this.asking);
    this.jobs.hidden = !(held > 1);
    setText(this.jobs, `Holds ${plural(held, "job")}, runs ${alone ? "1 alone" : `at most ${count(places)} at once`}.`);
    if (worker.last_exit) this.exits.add([worker.last_exit]);
    if (isExitNew && !this.node.hidden) this.readExits(); // there may have been others before it
  }

  /** @param {"restart" | "drain"} action */
  ask(action) {
    const { worker } = this, verb = action === "restart" && STOPPED.has(worker.state) ? "Start" : action === "drain" ? "Drain" : "Restart";
    confirm({ title: `${verb} ${this.slot}?`, text: consequence(action, worker), yes: `${verb} it`, path: this.path(action), done: () => setText(this.result, `${verb} requested.`) });
  }

  async dump() {
    this.asking = true;
    setOff(this.stack, true);
    showOrHide(this.problem, "");
    setText(this.result, "Waiting for the answer …");
    try {
      const { pid, job, at, stack } = await request(this.path("stack"));
      this.dumped.replaceChildren(
        h("p", { class: "bar" }, h("span", { class: "summary" }, `Stack of pid ${pid}, `, timeNode(at), job ? ", running " : ", with no running job", job && h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`)), copyButton(() => stack)),
        ...stackNodes(stack, `Stack of ${this.slot}`));
    } catch (error) {
      this.problem.replaceChildren(`No stack of ${this.slot}, `, timeNode(new Date(now()).toISOString()), `: ${error.message}`);
      this.problem.hidden = false;
    }
    setText(this.result, "");
    this.asking = false;
    setOff(this.stack, false);
  }
}

/** What the state of a slot means, and why it is so. @param {any} worker */
function meaningOf(worker) {
  const { state, degraded, waits, why } = worker, left = leftText(worker);
  if (waits && state !== "fatal") return [`It ${waits}, and starts by itself after that.`, why && `Why: ${why}`].filter(Boolean).join(" ");
  const drains = state === "draining" && `It finishes its ${runningOf(worker) > 1 ? "jobs" : "job"}, takes no other, and then ${isReplaced(worker) ? "starts again" : "stops"}.`;
  const cause = causeText(worker);
  return [drains || MEANINGS[state], left && !cause.includes(left) && `It ${left}.`, degraded && "It is degraded.", cause && `Why: ${cause}`].filter(Boolean).join(" ");
}

/** What a restart or a drain will do. @param {"restart" | "drain"} action @param {any} worker */
function consequence(action, worker) {
  const { slot, role, pool, pid, state } = worker;
  if (action === "restart" && STOPPED.has(state)) return "It starts now.";
  if (!pid) return `It has no process, and ${STAYS}.`;
  const then = `Then ${slot} ${action === "drain" ? STAYS : "starts again"}.`;
  if (pool === null) return `The ${slot === "api" ? "API" : slot} is unavailable for a moment. This page reconnects automatically.`;
  if (role === "program") return `The program is asked to stop, and killed if it does not. ${then}`;
  const runs = runsText(worker);
  return `${runs ? `It runs ${runs} and finishes ${runningOf(worker) > 1 ? "them" : "it"} first, or releases ${runningOf(worker) > 1 ? "them" : "it"} when supervisor.drain_timeout has passed. ` : ""}It takes no other job. ${then}`;
}
