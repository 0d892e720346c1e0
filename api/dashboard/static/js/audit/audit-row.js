// A row of the audit log: when, who, what, on what, what it changed, and why.
import { base } from "../base/base.js";
import { html, nothing } from "../base/lit.js";
import { targetLink } from "../lists/targets.js";
import { timeOf } from "../base/time.js";
import { plural } from "../base/words.js";

const MADE = /^job (\d+)$/;
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/;
const MANY = /^(?:jobs |all jobs)/;

/** @param {any} entry */
export function auditCells(entry) {
  const { at, by, action, target, reason } = entry;
  return html`
    <td role="cell" class="at" data-label="when">${timeOf(at)}</td>
    <td role="cell" class="by" data-label="who">${by}</td>
    <td role="cell" class="what" data-label="what"><b>${action}</b></td>
    <td role="cell" class="on" data-label="target">${targetLink(target, action)}</td>
    <td role="cell" class="change" data-label="change">${changeOf(entry)}</td>
    <td role="cell" class="why" data-label="why">${reason ?? nothing}</td>`;
}

/** How many things an action on many has changed. The number grows while the action goes on. @param {any} entry */
const countOf = ({ action, count }) => plural(count, action === "configure" ? "setting" : "job");

/** What the action changed, as far as it is known. @param {any} entry */
function changeOf(entry) {
  const { action, target, before, after } = entry;
  if (MANY.test(target) || (action === "configure" && !after)) return html`<span class="count">${countOf(entry)}</span>`;
  if (!before && !after) return nothing;
  if (!after) return html`<span class="hint">was</span> ${withTime(before)}`;
  if (before === after) return html`<span class="hint">still</span> ${withTime(after)}`;
  if (MADE.test(after)) return html`<a href="${base}/ui/jobs/${MADE.exec(after)?.[1]}">new ${after}</a>`;
  const [what, settings] = action === "configure" ? after.split(/: (.*)/s) : [after];
  return html`<span class="before">${withTime(before ?? "")}${before ? " → " : nothing}</span><b>${withTime(what)}</b>${settings ? html`<small class="hint">${settings}</small>` : nothing}`;
}

/** A text in which the time is written for people. @param {string} text */
function withTime(text) {
  const [at] = TIME.exec(text) ?? [];
  return at ? html`${text.slice(0, text.indexOf(at))}${timeOf(at, "short")}${text.slice(text.indexOf(at) + at.length)}` : text;
}
