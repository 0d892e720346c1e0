// Who paused a queue or a schedule, when and why, and the question whether to pause or resume it.
import { confirm } from "../frame/confirm.js";
import { action, html, icon, nothing } from "../base/lit.js";
import { relative, timeOf } from "../base/time.js";

/** "paused by cli:ada 5 min ago: a release", or nothing. @param {any} pause */
export const pausedWords = (pause) => (pause
  ? html`<span class="paused">${icon("blocked")}<b>paused</b> by ${pause.by ?? "the configuration"} ${pause.at ? timeOf(pause.at) : nothing}${pause.reason ? `: ${pause.reason}` : nothing}</span>` : nothing);

/**
 * The button that pauses it, or resumes it if it is paused.
 * @param {"queue" | "schedule"} kind @param {string} name @param {boolean} isPaused @param {any} pause who paused it, if that is known
 * @param {() => string} effects what will happen @param {() => void} done
 */
export function pauseButton(kind, name, isPaused, pause, effects, done) {
  const verb = isPaused ? "Resume" : "Pause";
  return action(`${verb} …`, `${verb} ${name}`, () => confirm({
    title: `${verb} ${kind} ${name}?`, text: `${isPaused ? `Paused${byWhom(pause)}. ` : ""}${effects()}`,
    yes: `${verb} ${kind}`, path: `/${kind}s/${name}/${verb.toLowerCase()}`, done,
  }));
}

/** " by cli:ada 5 min ago: a release" @param {any} pause */
const byWhom = (pause) => (pause ? ` by ${pause.by ?? "the configuration"}${pause.at ? ` ${relative(pause.at)}` : ""}${pause.reason ? `: ${pause.reason}` : ""}` : "");
