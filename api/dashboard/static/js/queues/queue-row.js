// One row of the queues: what waits and runs, its pace and limits, and why nothing starts.
import { breakable, html, jobsWith, nothing } from "../base/lit.js";
import { pauseButton, pausedWords } from "./paused.js";
import { count, plural, rate, ticking } from "../base/words.js";

/** Reasons for which a queue stands still until somebody acts, the worst first. */
const STANDSTILLS = ["no_pool", "no_worker", "quarantined"];

/** How much a queue needs somebody: 0 if it does not. @param {any} queue */
export function trouble({ reason, paused, due, oldest_due_s: age, out_per_minute: out }) {
  const standstill = STANDSTILLS.indexOf(reason?.code);
  if (standstill >= 0 && !out) return 4 - standstill;
  return paused ? 1 : due && reason ? 0.5 : age > 60 ? 0.1 : 0;
}

/** @param {any} queue @param {() => void} changed called after an action */
export function queueCells(queue, changed) {
  const { name, counts, limits, paused, reason, oldest_due_s: oldest, readAt, failedLately } = queue;
  const waiting = counts.pending + counts.blocked;
  const number = (/** @type {string} */ label, /** @type {string} */ status, /** @type {number} */ n, shown = n ? count(n) : nothing) => html`<td role="cell" class="num ${status}" data-label=${label}><a href=${jobsWith({ queue: name, status })} aria-label="${count(n)} ${label} in ${name}">${shown}</a></td>`;
  return html`
    <td role="cell" class="name"><a href=${jobsWith({ queue: name })}>${breakable(name)}</a></td>
    ${number("waiting", "pending", waiting, waiting ? html`${count(waiting)}${counts.blocked ? html`<small>${count(counts.blocked)} blocked</small>` : nothing}` : nothing)}
    ${number("running", "in_progress", counts.in_progress)}
    ${number("failed", "failed", counts.failed, counts.failed ? html`${count(counts.failed)}${failedLately ? html`<small class="bad">${count(failedLately)} in 1 h</small>` : nothing}` : nothing)}
    <td role="cell" class="num oldest" data-label="oldest due">${oldest === null ? nothing : ticking(oldest + (Date.now() - readAt) / 1000)}</td>
    <td role="cell" class="num flow" data-label="in per min">${queue.in_per_minute ? rate(queue.in_per_minute) : nothing}</td>
    <td role="cell" class="num flow" data-label="out per min">${queue.out_per_minute ? rate(queue.out_per_minute) : nothing}</td>
    <td role="cell" class="limits" data-label="limits">${limitsOf(limits, counts).map((text) => html`<div>${text}</div>`)}</td>
    <td role="cell" class="why ${trouble(queue) >= 2 ? "bad" : ""}">${paused ? pausedWords(paused) : [reason?.text, emptyIn(queue)].map((text) => html`<div>${text ?? nothing}</div>`)}</td>
    <td role="cell" class="actions num">${pauseButton("queue", name, paused !== null, paused, () => effects(queue), changed)}</td>`;
}

/** @param {any} queue */
function emptyIn({ empty_in_s: s, due }) {
  return s && due ? html`<span class="hint">empty in about ${ticking(s)}</span>` : nothing;
}

/** What pausing or resuming it does, as it is now. @param {any} queue */
function effects({ paused, pools, counts }) {
  const waiting = counts.pending ? plural(counts.pending, "pending job") : "";
  if (paused) {
    const starts = pools.some((/** @type {any} */ { ready }) => ready) ? "Workers start its jobs again" : "Its jobs start when a worker that serves it is ready";
    return `${starts}${waiting ? `: ${waiting}` : ""}.`;
  }
  const running = counts.in_progress ? ` ${plural(counts.in_progress, "running job finishes", "running jobs finish")}.` : "";
  return `No job starts until the queue is resumed, even after a restart.${waiting ? ` ${waiting} will wait.` : ""}${running} Jobs can still be submitted.`;
}

/** @param {any} limits @param {any} counts @returns {string[]} */
function limitsOf({ max_running: most, rate: starts, burst, max_running_per_key: perKey, rate_per_key: keyRate }, counts) {
  return [
    most ? `${count(counts.in_progress)} of ${count(most)} running` : "",
    starts ? `${starts}${burst > 1 ? `, burst ${burst}` : ""}` : "",
    perKey || keyRate ? `per key: ${[perKey && `${perKey} running`, keyRate].filter(Boolean).join(", ")}` : "",
  ].filter(Boolean);
}
