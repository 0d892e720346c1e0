// One job type: a row of figures, and below it, folded, its fields and defaults.
import { h, icon, setAttr, setLines, setText } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { action, cell, wrappable } from "../lists/rows.js";
import { describeField, fieldsOf } from "./schema.js";
import { timeNode } from "../base/time.js";
import { linked } from "../job/why.js";
import { bytes, count, duration, percent, plural, spaced } from "../base/words.js";

const TIMES = ["run_s", "wait_s", "cpu_s"], PARTS = ["p50", "p95", "p99"];

const FAILURES = ["failed", "timed_out", "crashed", "lost"];
/** From this share of failures on, they stand out. */
const MANY = 0.1;

/** A snooze is neither a success nor a failure. @param {Record<string, number>} ended attempts by outcome */
const totalOf = ({ snoozed, ...ended }) => Object.values(ended).reduce((sum, n) => sum + n, 0);

/** The share of attempts that failed; null: there was none. @param {Record<string, number>} ended @returns {number | null} */
export function failureShare(ended) {
  const total = totalOf(ended);
  return total ? FAILURES.reduce((sum, outcome) => sum + (ended[outcome] ?? 0), 0) / total : null;
}

/** The share of the jobs of the last hour that failed; null: none ended. @param {Record<string, number>} ended jobs by status @returns {number | null} */
export const failedShare = ({ done, failed }) => (done + failed ? failed / (done + failed) : null);

/** @param {HTMLElement} node @param {string[]} texts a line each @param {number | null} share of failures */
function showTexts(node, texts, share) {
  setLines(node, texts, "span");
  node.firstElementChild?.classList.toggle("bad", (share ?? 0) > MANY);
}

export class TypeRow {
  /** @param {any} type @param {() => void} changed called after an action */
  constructor({ name, schema }, changed) {
    this.changed = changed;
    this.held = h("div", { class: "paused bad", hidden: true });
    this.release = action("Release …", `Release ${name}`, () => this.confirmRelease());
    const query = new URLSearchParams({ type: name });
    const isOne = schema !== null;
    this.description = h("small", { class: "description" });
    this.ended = h("div", { class: "outcomes" });
    this.hour = h("div", { class: "outcomes" });
    this.times = TIMES.map(() => [h("span", {}), h("span", {}), h("span", {})]);
    this.cpu = h("span", {});
    this.memory = h("span", {});
    this.failed = h("a", { href: `/ui/jobs?${new URLSearchParams({ type: name, status: "failed", sort: "ended" })}` });
    this.fold = h("tr", { role: "row", class: "fold-row", id: `fields-${name}`, hidden: true });
    this.button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": `fields-${name}`, hidden: !isOne, onclick: () => this.toggle() }, "fields");
    this.node = h("tr", { role: "row", id: `type-${name}` },
      cell("name", "", isOne ? h("a", { href: `/ui/jobs?${query}`, title: `Jobs of type ${name}` }, ...wrappable(name)) : h("b", {}, name), this.description, this.held),
      cell("ended", "succeeded attempts", this.ended),
      cell("hour", "done in last hour", this.hour),
      ...["run", "wait", "CPU"].map((word, i) => cell(word === "CPU" ? "times of-cpu" : "times", word, ...PARTS.map((part, j) => h("div", {}, h("small", {}, part), this.times[i][j])))),
      cell("cpu num", "CPU in all", this.cpu),
      cell("memory num", "peak memory", this.memory),
      cell("failed num", "failed now", this.failed),
      cell("actions num", "", this.button, this.release, isOne ? h("a", { class: "act button", "data-changes": true, href: `/ui/submit?${query}`, "aria-label": `Submit a ${name} job` }, "Submit …") : ""));
    this.nodes = [this.node, this.fold];
  }

  /** @param {any} type */
  show(type) {
    const { description, stats, failed } = type;
    this.type = type;
    for (const node of this.nodes) node.classList.toggle("unused", type.isUnused);
    this.showQuarantine();
    setText(this.description, description);
    setAttr(this.description, "title", description);
    this.showEnded(stats?.ended ?? {});
    this.showHour(stats?.last_hour ?? { done: 0, failed: 0, cancelled: 0 });
    TIMES.forEach((times, i) => PARTS.forEach((part, j) => {
      const value = stats?.[times][part] ?? null;
      setText(this.times[i][j], value === null ? "–" : duration(value));
    }));
    setText(this.cpu, stats?.cpu_total_s ? duration(stats.cpu_total_s) : "–");
    setText(this.memory, stats?.max_rss_bytes ? bytes(stats.max_rss_bytes) : "–");
    setText(this.failed, count(failed));
    this.failed.classList.toggle("nothing", failed === 0);
    this.failed.classList.toggle("bad", failed > 0);
    if (type.schema) this.showFields(type);
  }

  showQuarantine() {
    const { quarantine = null } = this.type;
    setAttr(this.held, "hidden", !quarantine);
    setAttr(this.release, "hidden", !quarantine);
    const key = JSON.stringify(quarantine);
    if (!quarantine || this.heldShown === key) return;
    this.heldShown = key;
    this.held.replaceChildren(icon("fatal"), h("span", {}, h("b", {}, "quarantined"), " ", timeNode(quarantine.since), ...linked(`: ${quarantine.text}`)));
  }

  confirmRelease() {
    const { name } = this.type;
    confirm({
      title: `Release ${name}?`,
      text: "Its jobs are held back, as they killed their workers. They run again, and it is quarantined anew if they kill as many.",
      yes: "Release it",
      path: `/types/${name}/release`,
      done: this.changed,
    });
  }

  showEnded(ended) {
    const { succeeded: good = 0, snoozed, ...rest } = ended;
    const total = totalOf(ended);
    const others = Object.entries(rest).sort(([, a], [, b]) => b - a);
    const texts = total ? [`${percent(good / total)} of ${count(total)}`, ...others.map(([outcome, n]) => `${count(n)} ${spaced(outcome)}`)] : [];
    if (snoozed) texts.push(`${count(snoozed)} snoozed`);
    if (!texts.length) texts.push("none yet");
    showTexts(this.ended, texts, failureShare(ended));
  }

  /** Show the jobs that ended. A failed attempt that is tried again does not count. */
  showHour(ended) {
    const { done, failed, cancelled } = ended;
    const texts = done + failed ? [`${percent(done / (done + failed))} of ${count(done + failed)}`] : [];
    if (failed) texts.push(`${count(failed)} failed`);
    if (cancelled) texts.push(`${count(cancelled)} cancelled`);
    showTexts(this.hour, texts.length ? texts : ["no job ended"], failedShare(ended));
    this.hour.firstElementChild?.classList.toggle("nothing", !texts.length);
  }

  toggle() {
    this.fold.hidden = !this.fold.hidden;
    setAttr(this.button, "aria-expanded", String(!this.fold.hidden));
  }

  /** Show the fields; unchanged ones are not drawn again. */
  showFields({ name, schema, defaults }) {
    const key = JSON.stringify([schema, defaults]);
    if (this.shown === key) return;
    this.shown = key;
    const fields = fieldsOf(schema);
    const list = fields === null ? h("p", { class: "hint" }, "Any JSON object.")
      : fields.length === 0 ? h("p", { class: "hint" }, "It takes no payload.")
      : h("dl", { class: "fields" }, ...fields.map((field) => h("div", {},
        h("dt", {}, field.name, field.required ? "" : h("span", { class: "unit" }, " optional")), h("dd", {}, describeField(field)))));
    setText(this.button, fields === null ? "fields" : fields.length ? plural(fields.length, "field") : "no fields");
    setAttr(this.button, "aria-label", `Fields of ${name}`);
    this.fold.replaceChildren(h("td", { role: "cell", colspan: 10, class: "fold-cell" }, list,
      h("p", { class: "hint" }, `Unless a job says otherwise: queue ${defaults.queue}, at most ${plural(defaults.max_retries, "retry", "retries")}, timeout ${duration(defaults.timeout)}.`)));
  }
}
