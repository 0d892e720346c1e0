// Who paused a queue or a schedule, when and why, and the question whether to pause or resume it.
import { confirm } from "../frame/confirm.js";
import { h, icon, setAttr, setText } from "../base/dom.js";
import { relative, timeNode } from "../base/time.js";

/** "paused by cli:ada 5 minutes ago: a release" @param {any} pause @returns {any[]} */
export const pausedWords = (pause) => [h("b", {}, "paused"), ` by ${pause.by ?? "the configuration"}`,
  pause.at && " ", pause.at && timeNode(pause.at), pause.reason && `: ${pause.reason}`];

/** Show in `node` who paused it; hide it if nobody did. @param {HTMLElement} node @param {any} pause */
export function showPause(node, pause) {
  const shown = JSON.stringify(pause);
  node.hidden = !pause;
  if (!pause || node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(icon("blocked"), h("span", {}, ...pausedWords(pause)));
}

/** Ask whether to pause it, or to resume it if it is paused. @param {"queue" | "schedule"} kind @param {{name: string, paused: boolean}} one @param {string} text what will happen @param {() => void} done */
export function askPause(kind, { name, paused }, text, done) {
  const verb = paused ? "Resume" : "Pause";
  confirm({ title: `${verb} ${kind} ${name}?`, text, yes: `${verb} it`, path: `/${kind}s/${name}/${verb.toLowerCase()}`, done });
}

/** Say on its button what it does now. @param {HTMLElement} button @param {{name: string, paused: boolean}} one */
export function showPauseButton(button, { name, paused }) {
  const verb = paused ? "Resume" : "Pause";
  setText(button, `${verb} …`);
  setAttr(button, "aria-label", `${verb} ${name}`);
}

/** The beginning of the question before a resume, as the dialog covers the row that tells it. @param {any} pause */
export const pausedBefore = (pause) => (pause ? `It was paused${byWhom(pause)}. ` : "");

/** " by cli:ada 5 minutes ago: a release" @param {any} pause */
const byWhom = ({ by, at, reason }) => ` by ${by ?? "the configuration"}${at ? ` ${relative(at)}` : ""}${reason ? `: ${reason}` : ""}`;
