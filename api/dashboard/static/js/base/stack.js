// The stacks of a process: what the job does comes first and is shown, the rest is folded.
import { h } from "./dom.js";
import { plural } from "./words.js";

const PART = /^(?=(?:Current thread|Thread) 0x|Coroutine of job \d)/m;
const COROUTINE = /^Coroutine of job \d+ /;

/** @param {string} text what the job does comes first @param {string} label @returns {any[]} */
export function stackNodes(text, label) {
  const parts = text.split(PART);
  const before = PART.test(parts[0]) ? "" : parts.shift();
  const job = COROUTINE.exec(parts[0] ?? "")?.[0]; // its own coroutine, and those of its tasks
  const rest = parts.findIndex((part, i) => i > 0 && !(job && part.startsWith(job)));
  const code = (name, lines) => h("pre", { class: "code", tabindex: "0", "aria-label": name }, lines.trimEnd());
  if (rest < 0) return [code(label, text)];
  const others = parts.slice(rest);
  const coroutines = others.filter((part) => COROUTINE.test(part)).length;
  const threads = others.length - coroutines;
  const what = [coroutines && plural(coroutines, job ? "other coroutine" : "coroutine"), threads && plural(threads, job ? "thread" : "other thread")];
  return [code(label, before + parts.slice(0, rest).join("")),
    h("details", {}, h("summary", {}, what.filter(Boolean).join(", ")), code(`${label}, the rest`, others.join("")))];
}
