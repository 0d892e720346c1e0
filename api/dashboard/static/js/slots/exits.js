// The exits of a slot's processes, newest first, each with its evidence.
import { arrange, h } from "../base/dom.js";
import { stackNodes } from "../base/stack.js";
import { timeNode } from "../base/time.js";
import { duration, plural, withoutColours } from "../base/words.js";

const MOST = 20;
const SHORT = 200; // characters: a few lines at most
const MOST_JOBS = 8;

export class Exits {
  constructor() {
    this.node = h("ol", { class: "exits" }, h("li", { class: "hint" }, "No exit of this slot is known."));
    /** Newest first. @type {Map<string, HTMLElement>} */
    this.known = new Map();
  }

  /** Add the exits that are not known yet; what somebody has opened or selected stays. @param {any[]} exits */
  add(exits) {
    const fresh = exits.filter((exit) => !this.known.has(keyOf(exit)));
    if (!fresh.length) return;
    const newest = [...this.known.keys(), ...fresh.map(keyOf)].sort().pop();
    const all = [...this.known, ...fresh.map((exit) => [keyOf(exit), exitNode(exit, keyOf(exit) === newest)])];
    this.known = new Map(all.sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, MOST));
    arrange(this.node, [...this.known.values()]);
  }
}

/** All times have one format and zone, so they sort as text. */
const keyOf = ({ at, reason }) => `${at} ${reason}`;

function exitNode({ at, reason, signal, code, evidence: told, failed, uptime_s: up, out_of_memory: memory, output, jobs }, open) {
  const evidence = told && withoutColours(told);
  const how = [signal, code === null ? null : `code ${code}`].filter((part) => part && !reason.includes(part)).join(", ");
  const memoryNote = memory && !reason.includes("memory") && h("span", { class: "bad" }, " The kernel killed it because memory ran out.");
  return h("li", {},
    h("p", {}, timeNode(at), up ? ` after ${duration(up)}` : "", ": ", h("b", {}, reason), how && ` (${how})`, ...whileItRan(jobs), memoryNote),
    evidence?.trim() ? evidenceNode(evidence.trimEnd(), open) : failed ? h("p", { class: "hint" }, output ? "It left no stack." : "There is no evidence.") : "",
    output ? outputNode(withoutColours(output)) : "");
}

/** The jobs that it was running, each a link. @param {number[]} jobs */
function whileItRan(jobs) {
  if (!jobs.length) return [];
  const links = jobs.slice(0, MOST_JOBS).flatMap((id) => [" ", h("a", { href: `/ui/jobs/${id}` }, String(id))]);
  const others = jobs.length - MOST_JOBS;
  return [`, while it ran ${jobs.length === 1 ? "job" : "jobs"}`, ...links, others > 0 ? ` and ${plural(others, "other")}` : ""];
}

/** The last lines, folded; the newest, which one looks for, are seen first. @param {string} output */
function outputNode(output) {
  const box = h("pre", { class: "code", tabindex: "0", "aria-label": "Last output of this process" }, output);
  return h("details", { ontoggle: () => { box.scrollTop = box.scrollHeight; } },
    h("summary", {}, `last output, ${plural(output.split("\n").length, "line")}`), box);
}

/** A short line is shown at once; more text, such as a stack or long JSON, can be folded. @param {string} evidence @param {boolean} open */
function evidenceNode(evidence, open) {
  const label = "Evidence of this exit", lines = evidence.split("\n").length;
  if (lines === 1 && evidence.length <= SHORT) return h("p", {}, h("code", { class: "evidence", role: "group", "aria-label": label }, evidence));
  return h("details", { open }, h("summary", {}, `evidence, ${plural(lines, "line")}`), ...stackNodes(evidence, label));
}
