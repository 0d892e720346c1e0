// One row of the schedules: when it runs, what became of its last runs, and running or pausing it.
import { base } from "../base/base.js";
import { byId } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { action, breakable, draw, html, icon, jobsWith, nothing } from "../base/lit.js";
import { pauseButton, pausedWords } from "./paused.js";
import { ago, isZone, relative, timeOf } from "../base/time.js";
import { duration, spaced } from "../base/words.js";

/** @param {any} schedule @param {() => void} changed called after an action */
export function scheduleCells(schedule, changed) {
  const { name, type, queue, in_words: words, cron, timezone, pause, paused, source, overlap, jitter } = schedule;
  const how = [cron && `${cron} · ${timezone}`, overlap === "skip" && "skips what would overlap", jitter && `up to ${duration(jitter)} later`].filter(Boolean).join(" · ");
  return html`
    <td role="cell" class="name"><b>${breakable(name)}</b><small><a href="${base}/ui/types#type-${encodeURIComponent(type)}">${queue ? `${type} in ${queue}` : type}</a>${source === "program" ? " · put by a program" : nothing}</small></td>
    <td role="cell" class="when" data-label="when">${words}${how ? html`<small>${how}</small>` : nothing}</td>
    <td role="cell" class="next" data-label="next">${paused ? pausedWords(pause ?? { by: null }) : nextRuns(schedule)}</td>
    <td role="cell" class="last" data-label="last five">${lastRuns(schedule)}</td>
    <td role="cell" class="actions num">${action("Run now …", `Run ${name} now`, () => askRun(schedule, changed))}${pauseButton("schedule", name, paused, pause, () => effects(schedule), changed)}</td>`;
}

/** The next five, in the zone of a cron expression. @param {any} schedule */
function nextRuns({ next_runs: runs, cron, timezone }) {
  const [first] = runs, zone = cron && isZone(timezone) ? timezone : undefined;
  if (!first) return "never again";
  return html`${timeOf(first, "relative")}<small class="all">${runs.map((/** @type {string} */ at) => timeOf(at, "short", zone))}</small>${zone ? html`<small>in ${zone}</small>` : nothing}`;
}

/** A dot for each of the last runs, newest first, and for a time at which it made no job. @param {any} schedule */
function lastRuns({ last_runs: runs, missed, skipped, tag, last_run: last }) {
  if (!runs.length && !missed) return html`<span class="hint">${last ? "deleted by retention" : "never"}</span>`;
  const [newest] = runs;
  return html`<div class="dots">${missed ? html`<span class="dot" data-status="failed" title="missed: was due ${ago(missed)}, but no job was submitted">${icon("degraded")}missed ${timeOf(missed)}</span>` : nothing}${skipped ? html`<a class="dot" data-status="cancelled" href="${base}/ui/jobs/${skipped.job}" title="skipped ${ago(skipped.at)}: job ${skipped.job} had not ended">${icon("cancelled")}skipped ${timeOf(skipped.at)}</a>` : nothing}${
    runs.map((/** @type {any} */ run) => html`<a class="dot" data-status=${run.status} href="${base}/ui/jobs/${run.job}" title=${outcome(run)} aria-label=${outcome(run)}>${icon(run.status)}</a>`)}</div>${
    newest ? html`<small>${spaced(newest.status)}${newest.ran_s === null ? "" : ` in ${duration(newest.ran_s)}`} ${timeOf(newest.at)}${newest.error ? html` · <span class="bad">${newest.error}</span>` : nothing} · <a href=${jobsWith({ tag })}>all runs</a></small>` : nothing}`;
}

/** @param {any} run */
const outcome = ({ job, at, status, ran_s: ran, error }) => `${spaced(status)}${ran === null ? "" : ` in ${duration(ran)}`}${error ? ` (${error})` : ""}, ${ago(at)}, job ${job}`;

/** @param {any} schedule @param {() => void} changed */
function askRun({ name, type }, changed) {
  confirm({
    title: `Run ${name} now?`, text: `One ${type} job is submitted now. The schedule stays as it is.`,
    yes: "Run now", path: `/schedules/${name}/run`,
    done: ({ id }) => { draw(html`${name}: submitted <a href="${base}/ui/jobs/${id}">job ${id}</a>.`, byId("result")); changed(); },
  });
}

/** What pausing or resuming it does. @param {any} schedule */
function effects({ paused, next_runs: [first] }) {
  return paused ? "It runs again at its next time. Times that passed while it was paused are skipped."
    : `No job is submitted until it is resumed, even after a restart.${first ? ` The next run would be ${relative(first)}.` : ""}`;
}
