// What lies folded below a slot's row: its state in a sentence, actions, stack, and exits.
//
// Buttons are never removed or disabled while the slot is there, only marked so: a heartbeat must
// not take the focus away from someone who works with the keyboard.
import { byId, copies, h, say, set } from "./dom.js";
import { confirm } from "./confirm.js";
import { Exits } from "./exits.js";
import { ask } from "./http.js";
import { timeNode } from "./time.js";

const AT_REST = new Set(["down", "backoff", "fatal"]);
const DRAINS = new Set(["ready", "starting", "backoff", "fatal"]);
const MEANS = {
  starting: "It has a process, which is not ready yet.",
  draining: "It finishes its job and takes no other.",
  stopping: "It was asked to end, and is killed if it does not.",
  killing: "It is being killed.",
  stuck: "Not even SIGKILL ends it: the kernel holds it, often for a disk. Its jobs go to others, and it is replaced.",
  backoff: "It is down, and starts again by itself after a wait of at most half a minute; or start it now.",
  fatal: "It failed too often and was given up; one try is made every 5 minutes. Mend the cause, then start it.",
  down: "It has no process and gets none until it is started.",
};

export class SlotFold {
  /** @param {{slot: string, pool: string | null}} worker */
  constructor({ slot, pool }) {
    this.slot = slot;
    const id = `more-${slot}`;
    this.button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": id,
      "aria-label": `More of ${slot}: actions and exits`, onclick: () => this.toggle() }, "⋯");
    const action = (name, act) => h("button", { type: "button", "data-action": name,
      onclick: (event) => event.currentTarget.ariaDisabled === "true" || act() }, name);
    this.restart = action("restart", () => this.ask("restart"));
    this.drain = action("drain", () => this.ask("drain"));
    this.stack = action("stack", () => this.dump());
    say(this.stack, "Show its stack");
    this.drain.hidden = pool === null;
    this.said = h("span", { class: "hint", role: "status" });
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.why = h("p", { class: "why" });
    this.bar = h("div", { class: "bar" }, this.restart, this.drain, this.stack, this.said);
    this.dumped = h("div", { class: "stack" });
    this.exits = new Exits();
    this.node = h("div", { role: "row", class: "fold", id, hidden: true }, h("div", { role: "cell" },
      this.why, this.bar, this.problem, this.dumped,
      h("h3", {}, "Exits ", h("span", { class: "unit" }, "newest first")), this.exits.node));
  }

  toggle() {
    this.node.hidden = !this.node.hidden;
    set(this.button, "aria-expanded", String(!this.node.hidden));
    if (!this.node.hidden) this.readExits();
  }

  /** The stream tells of the last exit only. */
  async readExits() {
    try {
      const { items } = await ask("/workers");
      this.exits.add(items.find(({ slot }) => slot === this.slot)?.recent_exits ?? []);
    } catch { /* the last one is shown, and the banner tells that nothing answers */ }
  }

  /** @param {any} worker @param {boolean} supervised */
  show(worker, supervised) {
    const { slot, state, degraded, reason, pid } = worker;
    if (worker.incarnation !== this.worker?.incarnation) say(this.said, "");
    this.worker = worker;
    const means = [MEANS[state], degraded && "It is degraded.", reason && `Why: ${reason}`].filter(Boolean).join(" ");
    say(this.why, means);
    this.why.hidden = !means;
    // The supervisor restarts others, not itself; a worker started alone (POOL@PID) has none.
    this.bar.hidden = !supervised || slot === "supervisor" || slot.includes("@");
    say(this.restart, AT_REST.has(state) ? "Start …" : "Restart …");
    say(this.drain, "Drain …");
    set(this.drain, "aria-disabled", DRAINS.has(state) ? null : "true");
    set(this.stack, "aria-disabled", pid && !this.asking ? null : "true");
    if (worker.last_exit) this.exits.add([worker.last_exit]);
  }

  /** @param {"restart" | "drain"} action */
  ask(action) {
    const start = action === "restart" && AT_REST.has(this.worker.state);
    const verb = start ? "start" : action;
    const named = verb[0].toUpperCase() + verb.slice(1);
    confirm({
      title: `${named} ${this.slot}?`,
      text: start ? "It starts at once." : consequence(action, this.worker),
      yes: `${named} it`,
      path: `/workers/${this.slot}/${action}`,
      done: () => say(this.said, `${named} was asked for.`),
    });
  }

  async dump() {
    this.asking = true;
    set(this.stack, "aria-disabled", "true");
    this.problem.hidden = true;
    say(this.said, "Asking it …");
    try {
      this.showStack(await ask(`/workers/${this.slot}/stack`));
      say(this.said, "");
    } catch (error) {
      say(this.said, "");
      say(this.problem, `No stack of ${this.slot}: ${error.message}`);
      this.problem.hidden = false;
    }
    this.asking = false;
    set(this.stack, "aria-disabled", null);
  }

  showStack({ pid, job, at, stack }) {
    const copy = h("button", { type: "button", class: "quiet" }, "copy");
    copies(copy, () => stack);
    this.dumped.replaceChildren(
      h("p", { class: "bar" }, h("span", { class: "summary" }, `Stack of pid ${pid}, `, timeNode(at), job ? ", running " : ", with no job in hand", job && h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`)), copy),
      h("pre", { class: "code", tabindex: "0", "aria-label": `Stack of ${this.slot}` }, stack));
  }
}

/** What a restart or a drain brings with it. */
function consequence(action, { slot, job, pool, pid }) {
  if (!pid) return "It has no process, and gets none until it is started.";
  if (pool === null) return `The ${slot === "api" ? "API" : slot} is away for a moment. This page connects again by itself and misses nothing.`;
  const first = job ? `It runs ${job.type} ${job.id}, and finishes it first; it takes no other.` : "It takes no other job; what it has in hand is finished first.";
  return `${first} Then it ${action === "drain" ? "stays down until it is started." : "starts anew."}`;
}
