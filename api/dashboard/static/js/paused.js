// Who paused a queue or a schedule, when and why: one line.
import { h, icon } from "./dom.js";
import { timeNode } from "./time.js";

/** Show it in `node`; without a pause, hide that. @param {HTMLElement} node @param {any} pause */
export function showPause(node, pause) {
  node.hidden = !pause;
  const shown = JSON.stringify(pause);
  if (!pause || node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(icon("blocked"), h("span", {}, h("b", {}, "paused"), ` by ${pause.by ?? "the configuration"}`, pause.at && " ", pause.at && timeNode(pause.at), pause.reason && `: ${pause.reason}`));
}
