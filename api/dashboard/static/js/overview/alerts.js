// The rules of `[[alerts]]`, in a line: how many fire. Unfolded: each, and its last job.
import { base } from "../base/base.js";
import { byId } from "../base/dom.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { timeOf } from "../base/time.js";
import { count, plural } from "../base/words.js";

/** @param {any[]} rules as GET /alerts gives them */
export function showAlerts(rules) {
  const firing = rules.filter((rule) => rule.firing).length, suppressed = rules.reduce((sum, { held_back: n }) => sum + n, 0);
  byId("alerts").hidden = !rules.length;
  draw(html`${plural(rules.length, "rule")}, ${firing ? html`<span class="bad">${count(firing)} firing</span>` : "none firing"}${suppressed ? ` · ${count(suppressed)} suppressed` : ""}`, byId("alerts-summary"));
  draw(rules.map(rule), byId("alert-rows"));
}

/** @param {any} rule */
function rule(rule) {
  const { name, on, holding, held_back: suppressed, last_fired: fired, last_job: job, last_job_status: status } = rule;
  const delivery = job === null ? nothing : html`, <a href="${base}/ui/jobs/${job}">job ${job}</a>${status === "failed" ? " was not delivered" : status && status !== "done" ? " not delivered yet" : ""}`;
  return html`<li class=${rule.firing ? "bad" : ""}>${rule.firing ? icon("fatal") : nothing} <b>${name}</b> <span class="hint">${on.join(", ")}</span>
    ${holding.length ? html`<span>${holding.join(" · ")}</span>` : nothing}${suppressed ? html` <span>${count(suppressed)} suppressed</span>` : nothing}
    <span class="hint">${fired ? html`fired ${timeOf(fired)}${delivery}` : "never fired"}</span></li>`;
}
