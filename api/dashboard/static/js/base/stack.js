// The stacks of a process: the thread of the job comes first and is shown, the other threads are collapsed.
import { h } from "./dom.js";
import { plural } from "./words.js";

const THREAD = /^(?=(?:Current thread|Thread) 0x)/m;

/** @param {string} text what the job does comes first @param {string} label @returns {any[]} */
export function stackNodes(text, label) {
  const parts = text.split(THREAD), before = THREAD.test(parts[0]) ? "" : parts.shift(), [own = "", ...others] = parts;
  const code = (name, lines) => h("pre", { class: "code", tabindex: "0", "aria-label": name }, lines.trimEnd());
  if (!others.length) return [code(label, text)];
  return [code(label, before + own), h("details", {}, h("summary", {}, plural(others.length, "other thread")), code(`${label}, the rest`, others.join("")))];
}
