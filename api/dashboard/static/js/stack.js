// The stacks of a process: the first one is what matters, the other threads are folded.
import { h } from "./dom.js";
import { plural } from "./words.js";

const THREAD = /^(?=(?:Current thread|Thread) 0x)/m;

/** @param {string} text the thread that runs the job comes first @param {string} label @returns {any[]} */
export function stackNodes(text, label) {
  const parts = text.split(THREAD);
  const before = THREAD.test(parts[0]) ? "" : parts.shift();
  const [first, ...others] = parts;
  const code = (name, lines) => h("pre", { class: "code", tabindex: "0", "aria-label": name }, lines.trimEnd());
  if (!others.length) return [code(label, text)];
  return [code(label, before + first),
    h("details", {}, h("summary", {}, plural(others.length, "other thread")), code(`${label}, other threads`, others.join("")))];
}
