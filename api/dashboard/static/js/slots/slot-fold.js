// The details below a slot's row: its state in a sentence, actions, stack and exits.
//
// While the slot exists, its buttons are never removed or disabled, only marked with aria-disabled: a
// heartbeat must not take the focus from a keyboard user.
import { byId, copyButton, h, setAttr, setOff, setText, showOrHide } from "../base/dom.js";
import { Exits } from "./exits.js";
import { SlotJobs } from "./slot-jobs.js";
import { SlotQuestion, canDrain, isStopped } from "./slot-question.js";
import { stackNodes } from "../base/stack.js";
import { onHost, request } from "../base/http.js";
import { awayText, causeText, isReplaced, leftText, limitText, runningOf, triesText } from "../base/slot-state.js";
import { now, timeNode } from "../base/time.js";
import { count } from "../base/words.js";

const MEANINGS = {
  stopping: "It was asked to stop, and is killed if it does not.",
  killing: "It is being killed.",
  stuck: "SIGKILL does not end it: the kernel holds it, often because of a disk. Its jobs go to other workers, and it is replaced.",
  fatal: "Fix the cause, then start it.",
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
    const action = (name, act) => h("button", { type: "button", "data-action": name,
      onclick: (event) => event.currentTarget.ariaDisabled === "true" || act() }, name);
    this.restart = action("restart", () => this.confirmAction("restart"));
    this.drain = action("drain", () => this.confirmAction("drain"));
    this.stack = action("stack", () => this.dump());
    setText(this.stack, "Show its stack");
    this.drain.hidden = pool === null;
    this.stack.hidden = role === "program";
    this.result = h("span", { class: "hint", role: "status" });
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.why = h("p", { class: "why" });
    this.bar = h("div", { class: "bar" }, this.restart, this.drain, this.stack, this.result);
    this.dumped = h("div", { class: "stack" });
    this.exits = new Exits();
    this.jobs = new SlotJobs(slot);
    this.node = h("div", { role: "row", class: "fold", id, hidden: true }, h("div", { role: "cell" },
      this.why, this.bar, this.problem, this.dumped, this.jobs.node,
      h("h3", {}, "Exits ", h("span", { class: "unit" }, "the latest, newest first")), this.exits.node));
  }

  /** @param {string} action */
  path(action) {
    return `/workers/${this.slot}/${action}${onHost(this.host, this.several)}`;
  }

  toggle() {
    this.node.hidden = !this.node.hidden;
    setAttr(this.button, "aria-expanded", String(!this.node.hidden));
    if (this.node.hidden) return;
    this.readExits();
    this.jobs.show(this.worker, true, this.several);
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
    const { slot, state, degraded, pid } = worker, cause = causeText(worker);
    if (worker.incarnation !== this.worker?.incarnation) { setText(this.result, ""); showOrHide(this.problem, ""); }
    const isExitNew = worker.last_exit?.at !== this.worker?.last_exit?.at;
    this.worker = worker;
    this.several = several;
    const tries = state === "fatal" && `It failed. ${triesText(worker)}`;
    const alone = worker.runs_alone && `It has ${count(worker.places)} places, but runs one job alone: that job was running when its worker crashed, so no other is put at risk.`;
    const ends = state === "draining" && `It finishes its ${runningOf(worker) > 1 ? "jobs" : "job"}, takes no other, and then ${isReplaced(worker) ? "starts again" : "stops"}.${worker.until ? "" : limitText(worker.finishes_within_s)}`;
    const [waits, reason] = waitingText(worker, cause);
    const meaning = [tries, ends || waits || MEANINGS[state], alone, degraded && "It is degraded.", reason && `Why: ${reason}`].filter(Boolean).join(" ");
    showOrHide(this.why, meaning);
    // The supervisor does not restart itself, and a worker started alone (POOL@PID) has no supervisor.
    setAttr(this.bar, "hidden", !supervisor || slot === "supervisor" || slot.includes("@"));
    setText(this.restart, isStopped(worker) ? "Start …" : "Restart …");
    setText(this.drain, "Drain …");
    const away = awayText(worker);
    setOff(this.restart, away !== "");
    setOff(this.drain, away !== "" || !canDrain(worker));
    for (const button of [this.restart, this.drain]) setAttr(button, "title", away || null);
    setOff(this.stack, !pid || this.asking);
    if (worker.last_exit) this.exits.add([worker.last_exit]);
    else this.exits.showNone(worker, supervisor);
    if (isExitNew && !this.node.hidden) this.readExits(); // there may have been others before it
    this.jobs.show(worker, !this.node.hidden, several);
    this.question?.update(worker);
  }

  /** Show that the slot is gone. */
  leave() { this.question?.leave(); }

  /** @param {"restart" | "drain"} action */
  confirmAction(action) {
    this.question = new SlotQuestion(action, this.worker, this.path(action), (named) => setText(this.result, `${named} requested.`));
    byId("confirm").addEventListener("close", () => { this.question = null; }, { once: true }); // the question reads as long as it is kept
  }

  async dump() {
    this.asking = true;
    setOff(this.stack, true);
    showOrHide(this.problem, "");
    setText(this.result, "Waiting for the answer …");
    try {
      this.showStack(await request(this.path("stack")));
      setText(this.result, "");
    } catch (error) {
      setText(this.result, "");
      this.problem.replaceChildren(`No stack of ${this.slot}, `, timeNode(new Date(now()).toISOString()), `: ${error.message}`);
      this.problem.hidden = false;
    }
    this.asking = false;
    setOff(this.stack, false);
  }

  showStack({ pid, job, at, stack }) {
    this.dumped.replaceChildren(
      h("p", { class: "bar" }, h("span", { class: "summary" }, `Stack of pid ${pid}, `, timeNode(at), job ? ", running " : ", with no running job", job && h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`)), copyButton(() => stack)),
      ...stackNodes(stack, `Stack of ${this.slot}`));
  }
}

/** Return what it waits for before it starts or is ready, and the rest of the cause. @param {any} worker @param {string} cause @returns {[string, string]} */
function waitingText(worker, cause) {
  const { state, degraded, waits, why } = worker, left = leftText(worker);
  if (state === "starting") {
    const isKnown = why && !degraded;
    return [`Its process has started and is ${isKnown ? why : "not ready yet"}.${left && ` It ${left}.`}`, isKnown ? "" : cause];
  }
  if (waits && state !== "fatal") return [`It ${waits}, and starts by itself after that.`, why];
  return [state === "backoff" ? `It is down and ${left || "starts again automatically after at most half a minute"}. You can also start it now.` : "", cause];
}
