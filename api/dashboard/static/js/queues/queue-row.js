// One row of the queues: depth, pace, limits, who serves it, and pausing it.
import { h, setAttr, setLines, setText, showOrHide } from "../base/dom.js";
import { askPause, pausedBefore, showPause, showPauseButton } from "./paused.js";
import { action, cell, wrappable } from "../lists/rows.js";
import { ENDED, LIVE, STATUSES, count, duration, plural, rate, rounded, spaced, ticking } from "../base/words.js";

export class QueueRow {
  /** @param {any} queue @param {() => void} changed called after an action */
  constructor(queue, changed) {
    const { name } = queue;
    this.changed = changed;
    this.pause = h("div", { hidden: true });
    this.reason = h("div", { hidden: true });
    this.told = cell("paused", "", this.pause, this.reason);
    this.oldest = h("span", {});
    this.flow = { in: h("span", {}), out: h("span", {}) };
    this.use = h("progress", { max: 1, hidden: true, "aria-label": `Use of the limit of ${name}` });
    this.limits = h("div", {});
    this.pools = h("div", {});
    this.backlog = h("div", {});
    this.button = action("Pause …", `Pause ${name}`, () => this.confirmPause());
    this.counts = new Map(STATUSES.map((status) => [status, h("b", {})]));
    const depth = (statuses) => h("div", { class: "counts" }, ...statuses.map((status) => h("a", { href: `/ui/jobs?${new URLSearchParams({ queue: name, status })}`, "data-status": status }, this.counts.get(status), h("span", {}, spaced(status)))));
    this.node = h("tr", { role: "row", id: `queue-${name}` },
      cell("name", "", h("a", { href: `/ui/jobs?${new URLSearchParams({ queue: name })}`, title: `Jobs of ${name}` }, ...wrappable(name))),
      cell("depth", "live jobs", depth(LIVE)), cell("depth", "ended jobs", depth(ENDED)),
      cell("oldest num", "oldest due", this.oldest),
      cell("flow num", "/min lately", h("span", { title: "Submitted a minute, in this minute and the last" }, h("small", {}, "in "), this.flow.in), h("span", { title: "Ended a minute, in this minute and the last" }, h("small", {}, "out "), this.flow.out)),
      // In a narrow table these two share one column, so that no other column moves their lines.
      h("div", { class: "together", role: "presentation" }, cell("limits", "limits", this.limits, this.use), cell("pools", "served by", this.pools)),
      cell("backlog num", "backlog", this.backlog),
      cell("actions num", "", this.button),
      this.told);
    this.nodes = [this.node];
  }

  /** @param {any} queue */
  show(queue) {
    const { counts, limits, paused, reason } = queue;
    this.queue = queue;
    this.readAt = Date.now();
    setAttr(this.node, "data-paused", paused !== null);
    for (const [status, number] of this.counts) {
      setText(number, count(counts[status]));
      number.parentElement.classList.toggle("nothing", counts[status] === 0);
    }
    setText(this.flow.in, rate(queue.in_per_minute));
    setText(this.flow.out, rate(queue.out_per_minute));
    setLines(this.limits, limitsOf(queue));
    this.use.hidden = !limits.max_running;
    if (limits.max_running) this.use.value = Math.min(1, counts.in_progress / limits.max_running);
    this.showPools();
    setLines(this.backlog, backlogOf(queue));
    showPause(this.pause, paused);
    showOrHide(this.reason, paused ? "" : reason?.text ?? "");
    this.told.hidden = this.pause.hidden && this.reason.hidden;
    showPauseButton(this.button, pauseOf(queue));
    this.showAge();
  }

  /** Let the age grow, unless the page is disconnected: then no job is known to wait still. */
  tick() {
    if (!document.documentElement.classList.contains("lost")) this.showAge();
  }

  showAge() {
    const { oldest_due_s: age } = this.queue;
    this.oldest.classList.toggle("nothing", age === null);
    setText(this.oldest, age === null ? "–" : ticking(age + (Date.now() - this.readAt) / 1000));
  }

  showPools() {
    const { pools, counts } = this.queue, names = pools.map(({ name }) => name).join("\n");
    if (names !== this.poolsShown) { // else keep a selection and the focus
      this.ready = pools.map(() => document.createTextNode(""));
      const links = pools.map(({ name }, i) => h("div", {}, h("a", { href: `/ui/#pool-${name}`, title: `Workers of pool ${name}` }, ...wrappable(name)), this.ready[i]));
      this.pools.replaceChildren(...(links.length ? links : [h("div", {}, "no pool")]));
    }
    this.poolsShown = names;
    pools.forEach(({ ready, workers }, i) => setText(this.ready[i], `: ${ready}\u00a0of\u00a0${workers}\u00a0ready`));
    const nobody = pools.every(({ ready }) => ready === 0);
    this.pools.classList.toggle("bad", nobody && counts.pending + (pools.length ? 0 : counts.blocked) > 0);
  }

  confirmPause() { askPause("queue", pauseOf(this.queue), whatHappens(this.queue), this.changed); }
}

/** A queue as the question before a pause takes it. @param {any} queue */
const pauseOf = ({ name, paused }) => ({ name, paused: paused !== null, pause: paused });

/** What waits, and when it is done, if no more comes. @param {any} queue @returns {string[]} */
function backlogOf({ counts, due, empty_in_s: empty, empty_in_s_with: more }) {
  if (!counts.pending && !counts.in_progress) return [counts.blocked ? `${count(counts.blocked)} blocked` : "empty"];
  return [
    due && `${count(due)} due`, counts.pending > due && `${count(counts.pending - due)} not due`,
    empty && `empty in about ${roughly(empty)}`, more[1] && `with 1 more worker ${roughly(more[1])}`,
  ].filter(Boolean);
}

/** A duration without seconds if it is long: nobody can know them. @param {number} seconds */
const roughly = (seconds) => (seconds < 300 ? duration(seconds) : rounded(seconds)).replaceAll(" ", "\u00a0");

/** What pausing or resuming a queue does, as it is now. @param {any} queue */
function whatHappens({ paused, pools, counts }) {
  const waiting = counts.pending ? plural(counts.pending, "pending job") : "";
  if (paused) {
    const starts = pools.some(({ ready }) => ready) ? "Workers start its jobs again" : "No worker that serves it is ready, so its jobs start when one is";
    return `${pausedBefore(paused)}${starts}${waiting ? `: ${waiting}` : ""}.`;
  }
  const running = counts.in_progress ? `${plural(counts.in_progress, "running job goes", "running jobs go")} on to the end. ` : "";
  return `No job of it starts until it is resumed, even after a restart. ${waiting ? `${waiting} will wait. ` : ""}${running}Jobs can still be submitted.`;
}

function limitsOf({ counts, limits: { max_running: most, rate: starts, burst, max_running_per_key: perKey, rate_per_key: keyRate } }) {
  const limits = [];
  if (most) limits.push(`${count(counts.in_progress)} of ${count(most)} running`);
  if (starts) limits.push(`starts\u00a0${starts}${burst > 1 ? `, burst\u00a0${burst}` : ""}`);
  if (perKey || keyRate) limits.push(`per key ${[perKey && `${perKey} running`, keyRate].filter(Boolean).join(", ")}`);
  return limits.length ? limits : ["none"];
}
