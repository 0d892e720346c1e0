// Who paused a queue or a schedule, when and why: one line, also in the question that somebody else was faster to answer.
import { h, icon } from "./dom.js";
import { relative, timeNode } from "./time.js";

/** "paused by cli:ada 5 minutes ago: a release" @param {any} pause @returns {any[]} */
export const pausedWords = (pause) => [h("b", {}, "paused"), ` by ${pause.by ?? "the configuration"}`, pause.at && " ", pause.at && timeNode(pause.at), pause.reason && `: ${pause.reason}`];

/** Show it in `node`; without a pause, hide that. @param {HTMLElement} node @param {any} pause */
export function showPause(node, pause) {
  node.hidden = !pause;
  const shown = JSON.stringify(pause);
  if (!pause || node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(icon("blocked"), h("span", {}, ...pausedWords(pause)));
}

/**
 * Tell an open question whether to pause or resume that somebody else has answered it.
 * @param {{paused: boolean, say: (text: string | null, isDone?: boolean) => void} | undefined} question and how it was when it was asked
 * @param {{paused: boolean, pause: any}} now
 */
export function tellOvertaken(question, { paused, pause }) {
  question?.say(question.paused === paused ? null : paused ? pausedBy(pause) : "Somebody else has resumed it meanwhile.", question.paused && !paused);
}

function pausedBy(pause) {
  const who = pause ? ` by ${pause.by ?? "the configuration"}${pause.at ? ` ${relative(pause.at)}` : ""}${pause.reason ? `: ${pause.reason}` : ""}` : "";
  return `It is paused by now${who}. To pause it again changes nothing, unless you give a new reason: that replaces theirs.`;
}
