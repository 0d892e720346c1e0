// The rules of `[[alerts]]`: what each is about, whether it holds, and its last job.
import { arrange, byId, h, icon, setText } from "./dom.js";
import { request } from "./http.js";
import { Reading } from "./reading.js";
import { setTime, timeNode } from "./time.js";
import { plural } from "./words.js";

export class Alerts {
  constructor() {
    /** @type {Map<string, AlertRow>} */
    this.rows = new Map();
    this.reading = new Reading(() => this.read());
    this.first = this.reading.now();
  }

  async read() {
    try {
      this.show((await request("/alerts")).items);
      return true;
    } catch { return false; } // the banner shows that nothing answers
  }

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
    setText(byId("alerts-summary"), `${plural(rules.length, "rule")}${holding ? `, ${holding} with a condition that holds` : ""}`);
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
    this.by = h("span", {}, ", ", this.job);
    this.sent = h("span", { class: "sent" }, "sent ", this.fired, this.by);
    this.node = h("li", {}, h("b", {}, name), this.on, this.state, this.sent);
  }

  show({ on, holding, held_back: back, last_fired: fired, last_job: job }) {
    setText(this.on, on.join(", "));
    const parts = [...holding, ...back ? [`${plural(back, "alert")} of this rule held back`] : []];
    const state = parts.length ? parts.join(", ") : fired ? "quiet" : "never fired";
    if (this.state.textContent !== state) this.state.replaceChildren(...holding.length ? [icon("fatal"), " "] : [], state);
    this.state.classList.toggle("bad", holding.length > 0);
    this.sent.hidden = !fired;
    if (!fired) return;
    setTime(this.fired, fired);
    this.by.hidden = job === null;
    if (job === null) return;
    setText(this.job, `job ${job}`);
    this.job.href = `/ui/jobs/${job}`;
  }
}
