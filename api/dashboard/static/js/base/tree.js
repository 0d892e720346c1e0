// A JSON value as a collapsible tree, with every digit as it was sent.
import { h } from "./dom.js";
import { Exact, writeExact } from "./exact.js";
import { plural } from "./words.js";

const OPEN_DEPTH = 2;
const STEP = 100;

/** @param {any} value @param {string} [name] @param {number} [depth] @returns {Node} */
export function tree(value, name, depth = 0) {
  const key = name === undefined ? null : h("span", { class: "key" }, name);
  if (typeof value !== "object" || value === null || value instanceof Exact) {
    const kind = value === null ? "null" : value instanceof Exact ? "number" : typeof value;
    return h("div", { class: "leaf" }, key, h("span", { class: `value ${kind}` }, writeExact(value)));
  }
  const entries = Array.isArray(value) ? value.map((part, i) => [String(i), part]) : Object.entries(value);
  const size = Array.isArray(value) ? plural(entries.length, "item") : plural(entries.length, "field");
  if (!entries.length) return h("div", { class: "leaf" }, key, h("span", { class: "value" }, Array.isArray(value) ? "[]" : "{}"));
  const branch = h("details", { class: "branch", open: depth < OPEN_DEPTH },
    h("summary", {}, key, h("span", { class: "size" }, size)));
  // Children are created when the branch is opened, so that a large closed value costs nothing.
  const grow = () => { if (branch.open && branch.childElementCount === 1) more(branch, entries, 0, depth); };
  branch.addEventListener("toggle", grow);
  grow();
  return branch;
}

function more(branch, entries, from, depth) {
  branch.append(...entries.slice(from, from + STEP).map(([name, part]) => tree(part, name, depth + 1)));
  const left = entries.length - from - STEP;
  if (left <= 0) return;
  const button = h("button", { type: "button", class: "quiet", onclick: () => { button.remove(); more(branch, entries, from + STEP, depth); } }, `${plural(left, "more", "more")} …`);
  branch.append(button);
}
