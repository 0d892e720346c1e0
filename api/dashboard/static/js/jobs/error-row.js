// One group of failed jobs, and retrying or deleting all of it.
import { base } from "../base/base.js";
import { WORDS, doneText, questionOf } from "./bulk.js";
import { byId, setText } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { action, breakable, html, jobsWith, nothing } from "../base/lit.js";
import { timeOf } from "../base/time.js";
import { count } from "../base/words.js";

/** For how many jobs `messages` is complete. */
const ALL_COMPARED = 2;
const ACTIONS = ["retry", "delete"];

/** @param {any} group @param {() => void} changed called after an action */
export function errorCells(group, changed) {
  const { type, error, where, message, count: n, last_hour: hour, hour_before: before, first_seen: first, last_seen: last, newest } = group;
  const jobs = jobsWith({ type, status: "failed", error, ...(where ? { where } : {}), sort: "ended" });
  return html`
    <td role="cell" class="name"><a href="${base}/ui/types#type-${encodeURIComponent(type)}">${breakable(type)}</a></td>
    <td role="cell" class="error"><b>${breakable(error)}</b><span class="message" title=${message}><span class="which">${whichOf(group)}</span>${message}</span>${where ? html`<code class="where">${where}</code>` : nothing}</td>
    <td role="cell" class="count num" data-label="jobs"><a href=${jobs} title="Failed jobs of ${type} with ${error}">${count(n)}</a></td>
    <td role="cell" class="hour num" data-label="last hour"><span class=${hour > before ? "bad" : ""}>${hour ? count(hour) : nothing}</span>${before ? html`<small>${count(before)} the hour before</small>` : nothing}</td>
    <td role="cell" class="seen num" data-label="first seen">${timeOf(first)}</td>
    <td role="cell" class="seen num" data-label="last seen">${timeOf(last)}<small class="newest"><a href="${base}/ui/jobs/${newest}">job ${newest}</a></small></td>
    <td role="cell" class="actions num">${ACTIONS.map((name) => action(`${WORDS[name].verb} …`, `${WORDS[name].verb} the jobs with ${error} of ${type}`, () => ask(name, group, changed)))}</td>`;
}

/** Ask whether to act on the jobs of a group exactly as it is shown. @param {string} name @param {any} group @param {() => void} changed */
function ask(name, { type, error, where, count: n, max_id: most }, changed) {
  confirm({
    ...questionOf(name, n),
    text: `${n === 1 ? "The job of type" : `All ${count(n)} jobs of type`} ${type} that failed with ${error}${where ? ` at ${where}` : ""}, up to job ${most}. ${WORDS[name].text} If the count changes before you confirm, nothing is changed.`,
    body: { action: name, filter: { status: "failed", type, error, where: where ?? "" }, max_id: most, expected_count: n },
    done: ({ changed: done }) => { setText(byId("result"), `${doneText(name, done, ` of ${type}`)}.`); changed(); },
  });
}

/** Say whose message is shown: the newest job's, if others of the group may have another. @param {any} group */
function whichOf({ count: n, messages }) {
  if (n === 1) return "";
  return messages === 1 ? "newest: " : `newest of ${messages}${n > ALL_COMPARED ? " or more" : ""} messages: `;
}
