// How the lives of a slot ended, newest first, each with the evidence of why.
import { arrange, h } from "./dom.js";
import { timeNode } from "./time.js";
import { duration, some } from "./words.js";

const MEMORY = { true: "The kernel killed it for memory.", false: "The kernel did not kill it for memory." };
const MOST = 20;

export class Exits {
  constructor() {
    this.node = h("ol", { class: "exits" }, h("li", { class: "hint" }, "No life of it has ended yet."));
    /** Newest first. @type {Map<string, HTMLElement>} */
    this.known = new Map();
  }

  /** Adds those that are not known yet: what someone has opened or selected stays. @param {any[]} exits */
  add(exits) {
    const fresh = exits.filter((exit) => !this.known.has(keyOf(exit)));
    if (!fresh.length) return;
    const newest = [...this.known.keys(), ...fresh.map(keyOf)].sort().pop();
    const all = [...this.known, ...fresh.map((exit) => [keyOf(exit), exitNode(exit, keyOf(exit) === newest)])];
    this.known = new Map(all.sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, MOST));
    arrange(this.node, [...this.known.values()]);
  }
}

/** Times of one format and zone sort as text. */
const keyOf = ({ at, reason }) => `${at} ${reason}`;

function exitNode({ at, reason, signal, code, evidence, uptime_s: up, out_of_memory: memory }, open) {
  const how = [signal, code === null ? null : `code ${code}`].filter((part) => part && !reason.includes(part)).join(", ");
  const lines = evidence?.trimEnd().split("\n").length;
  // Only where SIGKILL leaves it open is it news that memory was not the cause.
  const told = memory || (memory === false && signal === "SIGKILL") ? MEMORY[memory] : "";
  return h("li", {},
    h("p", {}, timeNode(at), up ? ` after ${duration(up)}` : "", ": ", h("b", {}, reason), how && ` (${how})`, told && h("span", { class: memory ? "bad" : "hint" }, ` ${told}`)),
    evidence ? h("details", { open }, h("summary", {}, `evidence, ${some(lines, "line")}`), h("pre", { class: "code", tabindex: "0", "aria-label": "Evidence of this exit" }, evidence))
      : h("p", { class: "hint" }, "It left no evidence."));
}
