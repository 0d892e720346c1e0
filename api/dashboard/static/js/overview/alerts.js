// The rules of `[[alerts]]`: what each is about, whether it holds, and its last job.
import { arrange, byId, h, icon, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { Refresh } from "../frame/refresh.js";
import { setTime, timeNode } from "../base/time.js";
import { addressOf } from "../base/verdict.js";
import { plural, spaced, TERMINAL } from "../base/words.js";

const EVERY_MS = 15_000;

export class Alerts {
  constructor() {
    /** @type {Map<string, AlertRow>} */
    this.rows = new Map();
    this.refresh = new Refresh(() => this.read(), { every: EVERY_MS, told: () => {} });
    this.refresh.now();
  }

  async read() { this.show((await request("/alerts")).items); }

  /** @param {any[]} rules as GET /alerts gives them */
  show(rules) {
    byId("alerts").hidden = !rules.length;
    const rows = rules.map((rule) => {
      const row = this.rows.get(rule.name) ?? new AlertRow(rule.name);
      row.show(rule);
      return row;
    });
    this.rows = new Map(rows.map((row) => [row.name, row]));
    arrange(byId("alert-rows"), rows.map(({ node }) => node));
    const holding = rules.filter(({ holding: now }) => now.length).length;
    const parts = [plural(rules.length, "rule"), holding && `${holding} with a condition that holds`];
    setText(byId("alerts-summary"), parts.filter(Boolean).join(", "));
  }
}

class AlertRow {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.on = h("span", { class: "hint" });
    this.state = h("span", { class: "holds" });
    this.fired = timeNode(new Date(0).toISOString());
    this.job = h("a", {});
    this.became = h("span", {});
    this.by = h("span", {}, ", ", this.job, this.became);
    this.word = h("span", {});
    this.sent = h("span", { class: "sent" }, this.word, " ", this.fired, this.by);
    this.node = h("li", {}, h("b", {}, name), this.on, this.state, this.sent);
  }

  show(rule) {
    const { on, last_fired: fired, last_job: job, last_job_status: status } = rule;
    setText(this.on, on.join(", "));
    this.showState(rule);
    this.sent.hidden = !fired;
    if (!fired) return;
    setTime(this.fired, fired);
    const isSent = status === null || status === "done";
    setText(this.word, isSent ? "sent" : "fired");
    this.by.hidden = job === null;
    if (job === null) return;
    setText(this.job, `job ${job}`);
    setText(this.became, isSent ? "" : ` ${spaced(status)}`);
    this.job.href = `/ui/jobs/${job}`;
  }

  /** Draw a rule only if it says something else: a link in it may have the focus. */
  showState({ on, holding, held_back: back, last_fired: fired, last_job_status: status }) {
    const failed = status === "failed", waits = status !== null && !TERMINAL.has(status);
    const parts = [
      ...byKind(holding).map(([kind, names]) => [on.length > 1 ? `${kind} ` : "", ...joined(", ", names.map((name) => subject(kind, name)))]),
      ...failed ? ["not delivered"] : waits ? ["not delivered yet"] : [],
      ...back ? [`${plural(back, "alert")} of this rule held back`] : [],
    ];
    const shown = JSON.stringify([on.length, failed, waits, holding, back, fired === null]);
    if (this.shown === shown) return;
    this.shown = shown;
    const isBad = holding.length > 0 || failed;
    this.state.replaceChildren(...isBad ? [icon("fatal"), " "] : [], ...parts.length ? joined(" · ", parts).flat() : [fired ? "quiet" : "never fired"]);
    this.state.classList.toggle("bad", isBad);
  }
}

/** "queue.late a", "queue.late b" -> "queue.late": a and b. @param {string[]} holding */
function byKind(holding) {
  const named = holding.map((one) => one.split(/ (.*)/s));
  return [...Map.groupBy(named, ([kind]) => kind)].map(([kind, all]) => /** @type {[string, string[]]} */ ([kind, all.map(([, name]) => name ?? "")]));
}

/** What a condition holds for, with a link to it. @param {string} kind @param {string} name */
function subject(kind, name) {
  const href = kind.startsWith("queue.") ? addressOf({ code: "", about: { kind: "queue", name } }) : undefined;
  return href ? h("a", { href }, name) : name;
}

/** @template T @param {string} between @param {T[]} parts @returns {(T | string)[]} */
const joined = (between, parts) => parts.flatMap((part, i) => (i ? [between, part] : [part]));
