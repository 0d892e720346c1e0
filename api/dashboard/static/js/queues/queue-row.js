// One row of the queues: depth, pace, limits, who serves it, and pausing it.
import { backlogOf, dueOf } from "./backlog.js";
import { arrange, h, setAttr, setLines, setText, showOrHide } from "../base/dom.js";
import { askPause, pausedBefore, showPause, showPauseButton, tellOvertaken } from "./paused.js";
import { action, cell, wrappable } from "../lists/rows.js";
import { ENDED, LIVE, STATUSES, count, plural, rate, spaced, ticking } from "../base/words.js";

export class QueueRow {
  /** @param {any} queue @param {() => void} changed called after an action */
  constructor(queue, changed) {
    const { name } = queue;
    this.changed = changed;
    this.pause = h("div", { hidden: true });
    this.unready = h("div", { hidden: true });
    this.told = cell("paused", "", this.pause, this.unready);
    this.oldest = h("span", {});
    this.oldestHeld = h("small", { hidden: true });
    this.flow = { in: h("span", {}), out: h("span", {}) };
    this.use = h("progress", { max: 1, hidden: true, "aria-label": `Use of the limit of ${name}` });
    this.limits = h("div", {});
    this.pools = h("div", {});
    this.backlog = h("div", {});
    /** @type {HTMLElement[]} */
    this.backlogLines = [];
    this.button = action("Pause …", `Pause ${name}`, () => this.confirmPause());
    this.counts = new Map(STATUSES.map((status) => [status, h("b", {})]));
    const depth = (statuses) => h("div", { class: "counts" }, ...statuses.map((status) => h("a", { href: `/ui/jobs?${new URLSearchParams({ queue: name, status })}`, "data-status": status }, this.counts.get(status), h("span", {}, spaced(status)))));
    this.node = h("tr", { role: "row", id: `queue-${name}` },
      cell("name", "", h("a", { href: `/ui/jobs?${new URLSearchParams({ queue: name })}`, title: `Jobs of ${name}` }, ...wrappable(name))),
      cell("depth", "live jobs", depth(LIVE)), cell("depth", "ended jobs", depth(ENDED)),
      cell("oldest num", "oldest due", this.oldest, this.oldestHeld),
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
    this.queue = queue;
    this.readAt = Date.now();
    setAttr(this.node, "data-paused", queue.paused);
    for (const [status, number] of this.counts) {
      setText(number, count(queue.counts[status]));
      number.parentElement.classList.toggle("nothing", queue.counts[status] === 0);
    }
    setText(this.flow.in, rate(queue.submitted_per_minute));
    setText(this.flow.out, rate(queue.ended_per_minute));
    setLines(this.limits, limitsOf(queue));
    this.use.hidden = !queue.max_running;
    if (queue.max_running) this.use.value = Math.min(1, queue.counts.in_progress / queue.max_running);
    this.showPools();
    this.showBacklog();
    showPause(this.pause, queue.pause, queue.resumed);
    showOrHide(this.unready, queue.unready);
    this.told.hidden = this.pause.hidden && this.unready.hidden;
    tellOvertaken(this.question, queue, whatHappens(queue));
    showPauseButton(this.button, queue);
    this.showAge();
  }

  /** Take it as resumed, as it is not listed any more: a queue without jobs is listed only while it is paused. */
  leave() {
    tellOvertaken(this.question, { paused: false, pause: null });
  }

  /** Let the age grow, unless the page is disconnected: then no job is known to wait still. */
  tick() {
    if (!document.documentElement.classList.contains("lost")) this.showAge();
  }

  showAge() {
    const age = this.queue.oldest_pending_s, held = this.queue.held_back, passed = (Date.now() - this.readAt) / 1000;
    this.oldest.hidden = age === null && held.length > 0;
    this.oldest.classList.toggle("nothing", age === null && !held.length);
    setText(this.oldest, age === null ? "–" : ticking(age + passed));
    this.oldestHeld.hidden = !held.length;
    if (held.length) setText(this.oldestHeld, `held back ${ticking(Math.max(...held.map((one) => one.oldest_s)) + passed).replaceAll(" ", "\u00a0")}`);
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

  /** Show what becomes of the backlog, and how much is held back, with a link to where its types are released. */
  showBacklog() {
    const texts = backlogOf(this.queue), held = this.queue.held_back, key = JSON.stringify(held.map(({ oldest_s, ...one }) => one));
    this.backlogLines = texts.map((_, i) => this.backlogLines[i] ?? h("div", {}));
    texts.forEach((text, i) => setText(this.backlogLines[i], text));
    if (key !== this.heldShown) this.heldLines = held.map(heldBack);
    this.heldShown = key;
    arrange(this.backlog, [...this.backlogLines, ...this.heldLines]);
  }

  confirmPause() { this.question = askPause("queue", this.queue, whatHappens(this.queue), this.changed); }
}

/** "4 held back: their type resize is quarantined" @param {any} held of one type */
function heldBack({ type, jobs, relation }) {
  const least = relation === "gte" ? "at least " : "", whose = jobs === 1 && !least ? "its" : "their";
  return h("div", { class: "bad" }, `${least}${count(jobs)} held back: ${whose} type `, h("a", { href: `/ui/types#type-${type}` }, ...wrappable(type)), " is quarantined");
}

/** What pausing or resuming a queue does, as it is now. @param {any} queue */
function whatHappens(queue) {
  const { paused, pause, pools, counts } = queue, waits = dueOf(queue);
  const waiting = counts.pending ? `${plural(counts.pending, "pending job")}${waits && ` (${waits})`}` : "";
  if (paused) return `${pausedBefore(pause)}${resumed(pools)}${waiting ? `: ${waiting}` : ""}.`;
  const running = counts.in_progress ? `${plural(counts.in_progress, "running job goes", "running jobs go")} on to the end. ` : "";
  return `No job of it starts until it is resumed, even after a restart. ${waiting ? `${waiting} will wait. ` : ""}${running}Jobs can still be submitted.`;
}

/** What resuming a queue does: nothing, if it has no worker. @param {any[]} pools those that serve it */
function resumed(pools) {
  if (!pools.length) return "No pool serves it, so none of its jobs starts until one does";
  if (pools.some(({ ready }) => ready)) return "Workers start its jobs again";
  const who = `${pools.length === 1 ? "pool" : "pools"} ${pools.map(({ name }) => name).join(", ")}`;
  if (pools.every(({ workers }) => !workers)) return `There are no workers in ${who}, so none of its jobs starts until there is one`;
  return `No worker of ${who} is ready, so its jobs start when one is`;
}

function limitsOf({ max_running: most, rate: starts, burst, max_running_per_key: perKey, rate_per_key: keyRate, counts }) {
  const limits = [];
  if (most) limits.push(`${count(counts.in_progress)} of ${count(most)} running`);
  if (starts) limits.push(`starts\u00a0${starts}${burst > 1 ? `, burst\u00a0${burst}` : ""}`);
  if (perKey || keyRate) limits.push(`per key ${[perKey && `${perKey} running`, keyRate].filter(Boolean).join(", ")}`);
  return limits.length ? limits : ["none"];
}
