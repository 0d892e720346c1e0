// What a change of the configuration would do: the lines that differ, and what would restart.
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
export function showEffects({ changed, restarts, starts, stops, takes_effect: when, problems }) {
  const row = (/** @type {string} */ label, /** @type {string[] | null} */ names) => names?.length && h("li", {}, `${label} `, h("b", {}, names.join(", ")));
  byId("effects").replaceChildren(...[
    changed && !changed.length && h("li", {}, "No setting changes its value."),
    row("changes", changed), row("replaces", restarts), row("starts", starts), row("stops", stops),
    !problems.length && h("li", { class: "hint" }, `In force ${when}.`),
  ].filter((item) => item));
}

const MOST_CELLS = 4_000_000; // for larger texts, everything between the common start and the common end counts as changed

/**
 * Return the lines of both texts in order, with their kind: " " in both, "-" only before, "+" only after.
 * @param {string} before @param {string} after @returns {{kind: string, text: string}[]}
 */
function lineDiff(before, after) {
  const old = before.split("\n"), now = after.split("\n");
  let head = 0, tail = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  while (tail < old.length - head && tail < now.length - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const same = (/** @type {string[]} */ lines) => lines.map((text) => ({ kind: " ", text }));
  return [
    ...same(old.slice(0, head)),
    ...middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...same(old.slice(old.length - tail)),
  ];
}

/** Compare by the longest common subsequence. @param {string[]} old @param {string[]} now */
function middle(old, now) {
  const lines = [];
  let i = 0, j = 0;
  if (old.length * now.length <= MOST_CELLS) {
    const width = now.length + 1;
    const common = new Uint32Array((old.length + 1) * width);
    for (let a = old.length - 1; a >= 0; a--) for (let b = now.length - 1; b >= 0; b--)
      common[a * width + b] = old[a] === now[b] ? common[(a + 1) * width + b + 1] + 1 : Math.max(common[(a + 1) * width + b], common[a * width + b + 1]);
    while (i < old.length && j < now.length) {
      if (old[i] === now[j]) { lines.push({ kind: " ", text: old[i] }); i++; j++; }
      else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) lines.push({ kind: "-", text: old[i++] });
      else lines.push({ kind: "+", text: now[j++] });
    }
  }
  while (i < old.length) lines.push({ kind: "-", text: old[i++] });
  while (j < now.length) lines.push({ kind: "+", text: now[j++] });
  return lines;
}

/**
 * Return only the lines near a change, with null where lines are left out.
 * @param {{kind: string, text: string}[]} lines @param {number} around
 */
function nearChanges(lines, around) {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - around), i + around + 1).some(({ kind }) => kind !== " "));
  /** @type {({kind: string, text: string} | null)[]} */
  const shown = [];
  lines.forEach((line, i) => {
    if (near[i]) shown.push(line);
    else if (shown.length && shown.at(-1) !== null) shown.push(null);
  });
  if (shown.at(-1) === null) shown.pop();
  return shown;
}
