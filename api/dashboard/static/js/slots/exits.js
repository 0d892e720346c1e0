// The exits of a slot's processes, newest first, each with its evidence.
import { base } from "../base/base.js";
import { arrange, h } from "../base/dom.js";
import { draw, html, nothing } from "../base/lit.js";
import { stackNodes } from "../base/stack.js";
import { timeOf } from "../base/time.js";
import { duration, plural, withoutColours } from "../base/words.js";

const MOST = 20;
const SHORT = 200; // characters: a few lines at most
const MOST_JOBS = 8;

export class Exits {
  constructor() {
    this.node = h("ol", { class: "exits" }, h("li", { class: "hint" }, "No exits known."));
    /** Newest first. @type {Map<string, HTMLElement>} */
    this.known = new Map();
  }

  /** Add the exits that are not known yet; what somebody has opened or selected stays. @param {any[]} exits */
  add(exits) {
    const fresh = exits.filter((exit) => !this.known.has(keyOf(exit)));
    if (!fresh.length) return;
    const newest = [...this.known.keys(), ...fresh.map(keyOf)].sort().pop();
    for (const exit of fresh) {
      const node = h("li");
      draw(exitOf(exit, keyOf(exit) === newest), node);
      this.known.set(keyOf(exit), node);
    }
    this.known = new Map([...this.known].sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, MOST));
    arrange(this.node, [...this.known.values()]);
  }
}

/** All times have one format and zone, so they sort as text. */
const keyOf = ({ at, reason }) => `${at} ${reason}`;

/** @param {any} exit @param {boolean} isOpen whether its evidence is shown */
function exitOf({ at, reason, signal, code, evidence: told, failed, uptime_s: up, out_of_memory: memory, output, jobs }, isOpen) {
  const evidence = told && withoutColours(told).trimEnd();
  const how = [signal, code === null ? null : `code ${code}`].filter((part) => part && !reason.includes(part)).join(", ");
  const others = jobs.length - MOST_JOBS;
  return html`<p>${timeOf(at)}${up ? ` after ${duration(up)}` : ""}: <b>${reason}</b>${how ? ` (${how})` : ""}${
    jobs.length ? html`, while running ${jobs.length === 1 ? "job" : "jobs"}${jobs.slice(0, MOST_JOBS).map((/** @type {number} */ id) => html` <a href="${base}/ui/jobs/${id}">${id}</a>`)}${others > 0 ? ` and ${plural(others, "other")}` : ""}` : ""}${
    memory && !reason.includes("memory") ? html`<span class="bad"> The kernel killed it because memory ran out.</span>` : nothing}</p>
    ${evidence?.trim() ? evidenceOf(evidence, isOpen) : failed ? html`<p class="hint">${output ? "It left no stack." : "There is no evidence."}</p>` : nothing}
    ${output ? html`<details @toggle=${({ currentTarget }) => { currentTarget.lastElementChild.scrollTop = currentTarget.lastElementChild.scrollHeight; }}>
      <summary>last output, ${plural(output.split("\n").length, "line")}</summary><pre class="code" tabindex="0" aria-label="Last output of this process">${withoutColours(output)}</pre></details>` : nothing}`;
}

/** A short line is shown at once; more text, such as a stack or long JSON, can be collapsed. @param {string} evidence @param {boolean} isOpen */
function evidenceOf(evidence, isOpen) {
  const label = "Evidence of this exit", lines = evidence.split("\n").length;
  if (lines === 1 && evidence.length <= SHORT) return html`<p><code class="evidence" role="group" aria-label=${label}>${evidence}</code></p>`;
  return html`<details ?open=${isOpen}><summary>evidence, ${plural(lines, "line")}</summary>${stackNodes(evidence, label)}</details>`;
}
