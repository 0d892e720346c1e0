// One job type: how its attempts went, and below it, folded, all other figures and its fields.
import { base } from "../base/base.js";
import { confirm } from "../frame/confirm.js";
import { line } from "../base/charts.js";
import { linked } from "../base/linked.js";
import { action, breakable, html, icon, jobsWith, nothing } from "../base/lit.js";
import { describeField, fieldsOf } from "./schema.js";
import { timeOf } from "../base/time.js";
import { bytes, count, duration, percent, plural, spaced, tidy } from "../base/words.js";

const FAILURES = ["failed", "timed_out", "crashed", "lost"];
/** From this share of failures on, they stand out. */
const MANY = 0.1;

/** A snooze is neither a success nor a failure. @param {Record<string, number>} ended attempts by outcome */
const totalOf = ({ snoozed, ...ended }) => Object.values(ended).reduce((sum, n) => sum + n, 0);

/** The share of attempts that failed; null: there was none. @param {Record<string, number>} ended @returns {number | null} */
export function failureShare(ended) {
  const total = totalOf(ended);
  return total ? FAILURES.reduce((sum, outcome) => sum + (ended[outcome] ?? 0), 0) / total : null;
}

/** The share of the jobs of the last hour that failed; null: none ended. @param {Record<string, number>} ended jobs by status @returns {number | null} */
export const failedShare = ({ done, failed }) => (done + failed ? failed / (done + failed) : null);

const time = (/** @type {number | null | undefined} */ seconds) => (seconds === null || seconds === undefined ? nothing : duration(seconds));
const share = (/** @type {number | null} */ part) => (part ? html`<span class=${part > MANY ? "bad" : ""}>${percent(part)}</span>` : nothing);

/** @param {any} type @param {boolean} isOpen @param {() => void} toggle @param {() => void} changed called after an action */
export function typeCells(type, isOpen, toggle, changed) {
  const { name, description, schema, stats, failed, quarantine, minutes } = type, hour = stats?.last_hour;
  return html`
    <td role="cell" class="name">${schema ? html`<a href=${jobsWith({ type: name })}>${breakable(name)}</a>` : html`<b>${name}</b>`}<small class="description" title=${description}>${description}</small>${
      quarantine ? html`<div class="paused bad">${icon("fatal")}<b>quarantined</b> ${timeOf(quarantine.since)} ${linked(quarantine.text)}</div>` : nothing}</td>
    <td role="cell" class="num run" data-label="run p50">${time(stats?.run_s.p50)}</td>
    <td role="cell" class="num run" data-label="run p95">${time(stats?.run_s.p95)}</td>
    <td role="cell" class="num share" data-label="failed attempts">${share(failureShare(stats?.ended ?? {}))}</td>
    <td role="cell" class="num hour" data-label="ended, last hour">${hour && hour.done + hour.failed ? html`${count(hour.done + hour.failed)}${hour.failed ? html`<small class="bad">${count(hour.failed)} failed</small>` : nothing}${line(`Jobs of ${name} that ended in each of the last 60 minutes`, minutes, { kind: hour.failed ? "failed" : "done" })}` : nothing}</td>
    <td role="cell" class="num failed" data-label="failed jobs">${failed ? html`<a class="bad" href=${jobsWith({ type: name, status: "failed", sort: "ended" })}>${count(failed)}</a>` : nothing}</td>
    <td role="cell" class="actions num">${quarantine ? action("Release …", `Release ${name}`, () => askRelease(name, changed), "operator everything") : nothing}<button type="button" class="quiet" aria-expanded=${String(isOpen)} aria-label=${`Details of ${name}`} @click=${toggle}>details</button>${
      schema ? html`<a class="act button" data-needs="submitter" href="${base}/ui/submit?${new URLSearchParams({ type: name })}" aria-label="Submit a ${name} job">Submit …</a>` : nothing}</td>`;
}

/** @param {string} name @param {() => void} done */
function askRelease(name, done) {
  confirm({
    title: `Release ${name}?`, text: "Its jobs run again. If they crash as many workers as before, it is quarantined again.",
    yes: "Release", path: `/types/${name}/release`, done,
  });
}

/** All that the row leaves out: outcomes, waits, costs, fields and defaults. @param {any} type */
export function typeDetails({ schema, defaults, stats }) {
  const fields = schema ? fieldsOf(schema) : [];
  const row = (/** @type {string} */ word, /** @type {any} */ value) => (value === nothing ? nothing : html`<div><dt>${word}</dt><dd>${value}</dd></div>`);
  const times = (/** @type {any} */ { p50, p95, p99 }) => (p50 === null ? nothing : `p50 ${duration(p50)} · p95 ${duration(p95)} · p99 ${duration(p99)}`);
  return html`<td role="cell" colspan="7" class="fold-cell"><dl class="fields">
    ${stats ? html`${row("attempts", Object.entries(stats.ended).map(([outcome, n]) => `${count(/** @type {number} */ (n))} ${spaced(outcome)}`).join(" · ") || nothing)}
      ${row("run", times(stats.run_s))}${row("wait", times(stats.wait_s))}${row("CPU", times(stats.cpu_s))}
      ${row("total CPU", stats.cpu_total_s ? duration(stats.cpu_total_s) : nothing)}${row("peak memory", stats.max_rss_bytes ? bytes(stats.max_rss_bytes) : nothing)}` : nothing}
    ${defaults ? row("defaults", `queue ${defaults.queue} · max retries ${defaults.max_retries} · timeout ${tidy(defaults.timeout)}`) : nothing}
    ${schema && fields === null ? row("payload", "any JSON object") : schema && !fields?.length ? row("payload", "none") : nothing}
    ${(fields ?? []).map((field) => row(`${field.name}${field.required ? "" : " (optional)"}`, describeField(field)))}
  </dl></td>`;
}

/** "3 types never ran" @param {number} n */
export const neverRan = (n) => `${plural(n, "type")} that never ran`;
