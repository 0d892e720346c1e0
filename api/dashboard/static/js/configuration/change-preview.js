// What a change of the configuration would do: the lines that differ, and what would restart.
import { nearChanges, lineDiff } from "../base/diff.js";
import { byId, h } from "../base/dom.js";

const CONTEXT_LINES = 2; // unchanged lines shown around a change

/** The lines that differ, as elements. @param {string} before @param {string} after */
export function diffLines(before, after) {
  const shown = nearChanges(lineDiff(before, after), CONTEXT_LINES);
  return shown.map((line) => line === null ? h("span", { class: "gap" }, "⋯")
    : h("span", { class: { "+": "added", "-": "removed" }[line.kind] ?? false }, `${line.kind} ${line.text}`));
}

export const hideEffects = () => byId("effects").replaceChildren();

/** @param {any} answer of PUT /config */
export function showEffects({ changed, not_compared: hidden, restarts, starts, stops, notes, takes_effect: when, problems }) {
  const row = (/** @type {string} */ label, /** @type {string[] | null} */ names) => names?.length && h("li", {}, `${label} `, h("b", {}, names.join(", ")));
  byId("effects").replaceChildren(...[
    changed && !changed.length && h("li", {}, `No setting ${hidden.length ? "that is compared " : ""}changes its value.`),
    row("changes", changed), hidden.length && h("li", { class: "hint" }, `The secrets of ${hidden.join(" and ")} are not compared.`), row("replaces", restarts), row("starts", starts), row("stops", stops),
    ...notes.map((/** @type {string} */ note) => h("li", {}, note)),
    !problems.length && h("li", { class: "hint" }, `In force ${when}.`),
  ].filter((item) => item));
}
