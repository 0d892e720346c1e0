// A row of the audit log: when, who, what, on what, what it changed, and why.
import { h, setText } from "../base/dom.js";
import { cell } from "../lists/rows.js";
import { targetLink } from "../lists/targets.js";
import { timeNode } from "../base/time.js";
import { plural } from "../base/words.js";

const MADE = /^job (\d+)$/;
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/;
const MANY = /^(?:jobs |all jobs)/;

/** @param {any} entry */
export function rowOf(entry) {
  const { id, at, by, action, target, reason } = entry;
  const node = h("tr", { role: "row", id: `entry-${id}` },
    cell("at", "when", timeNode(at)),
    cell("by", "who", by),
    cell("what", "what", action),
    cell("on", "target", targetLink(target, action)),
    cell("change", "change", ...changeOf(entry)),
    cell("why", "why", reason ?? nothing()));
  return { node, show: (/** @type {any} */ newer) => setText(node.querySelector(".count") ?? h("b"), countOf(newer)) };
}

const nothing = () => h("span", { class: "nothing" }, "–");

/** How many things an action on many has changed. The number grows while the action goes on. */
const countOf = ({ action, count }) => plural(count, action === "configure" ? "setting" : "job");

/** What the action changed, as far as it is known. @returns {(Node | string)[]} */
function changeOf(entry) {
  const { action, target, before, after } = entry;
  if (MANY.test(target) || (action === "configure" && !after)) return [h("span", { class: "count" }, countOf(entry))];
  if (!before && !after) return [nothing()];
  if (!after) return [h("span", { class: "hint" }, "was "), ...withTime(before)];
  if (before === after) return [h("span", { class: "hint" }, "still "), ...withTime(after)];
  if (MADE.test(after)) return [h("a", { href: `/ui/jobs/${MADE.exec(after)?.[1]}` }, `new ${after}`)];
  const [what, settings] = action === "configure" ? after.split(/: (.*)/s) : [after];
  return [h("span", { class: "before" }, ...withTime(before ?? ""), before && " → "), h("b", {}, ...withTime(what)), ...(settings ? [h("small", { class: "hint" }, settings)] : [])];
}

/** A text in which the time is written for people. @param {string} text */
function withTime(text) {
  const [at] = TIME.exec(text) ?? [];
  return at ? [text.slice(0, text.indexOf(at)), timeNode(at, "short"), text.slice(text.indexOf(at) + at.length)] : [text];
}
