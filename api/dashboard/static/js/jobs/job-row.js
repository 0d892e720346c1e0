// The cells of one job in a list, and what they say.
import { base } from "../base/base.js";
import { preview } from "../base/preview.js";
import { takenText } from "../base/slot-state.js";
import { breakable, html, icon, jobsWith, nothing } from "../base/lit.js";
import { between, now, relative, timeOf, waitsSince } from "../base/time.js";
import { TERMINAL, WAITING, aged, duration, endedWithAnother, listed, spaced, ticking } from "../base/words.js";

const MOST_NAMED = 3;

/** @param {any} job @param {{isSelectable: boolean, isChosen: boolean, isDeleted: boolean, isHeld: boolean, isByEnd: boolean}} how `isHeld`: its type is quarantined */
export function jobCells(job, { isSelectable, isChosen, isDeleted, isHeld, isByEnd }) {
  const { id, status, type, progress } = job, text = describe(job, isHeld);
  return html`
    ${isSelectable ? html`<td role="cell" class="pick"><label><input type="checkbox" aria-label="Select job ${id}" tabindex="-1" .checked=${isChosen} ?disabled=${isDeleted}></label></td>` : nothing}
    <td role="cell" class="id"><a href="${base}/ui/jobs/${id}">${id}</a></td>
    <td role="cell" class="status"><span class="mark">${icon(status)}</span>${isDeleted ? "deleted" : job.cancel_requested && status === "in_progress" ? "stopping" : spaced(status)}</td>
    <td role="cell" class="type"><a href="${base}/ui/jobs/${id}" tabindex="-1" title=${type}>${breakable(type)}</a></td>
    <td role="cell" class="detail">${status === "in_progress" && progress !== null ? html`<progress max="1" aria-label="Progress of job ${id}" .value=${progress}></progress>` : nothing}<span
      class="text ${status === "failed" ? "bad" : ""}" title=${text}>${[text, takenText(job)].filter(Boolean).join(" · ")}</span><span
      class="tags">${job.tags.map((/** @type {string} */ tag) => html`<a href=${jobsWith({ tag })}>${tag}</a>`)}</span></td>
    <td role="cell" class="attempt">${job.attempt || "–"}</td>
    <td role="cell" class="queue">${job.queue}</td>
    <td role="cell" class="wait">${waited(job)}</td>
    <td role="cell" class="ran">${ran(job)}</td>
    <td role="cell" class="worker">${job.worker ?? nothing}</td>
    <td role="cell" class="when">${timeOf((isByEnd && job.finished_at) || job.created_at, "aged")}</td>`;
}

function waited(job) {
  if (job.status === "in_progress" || (job.started_at && TERMINAL.has(job.status)))
    return duration(between(waitsSince(job), job.started_at));
  return job.status !== "pending" || Date.parse(job.run_at) > now() ? "–" : aged(between(waitsSince(job)));
}

function ran({ started_at: start, finished_at: end, ran_until: ended, status }) {
  if (!start || WAITING.has(status)) return "–";
  return end ? duration(between(start, ended ?? end)) : ticking(between(start));
}

/** @param {any} job @param {boolean} isHeld */
function describe(job, isHeld) {
  const { status, error, depends_on: needs } = job, payload = preview(job.payload);
  const failure = error && `${error.type}: ${error.message}`, waits = Date.parse(job.run_at) - now();
  const after = (/** @type {any} */ text) => [text, payload].filter(Boolean).join(" · ");
  switch (status) {
    case "failed": return [payload, failure].filter(Boolean).join(" · ");
    case "cancelled": return after(endedWithAnother(job) && error.message);
    case "blocked": return after(needs.length && `after job${needs.length > 1 ? "s" : ""} ${listed(needs, MOST_NAMED)}`);
    case "in_progress": return job.message || payload;
    case "done": return [payload, preview(job.result)].filter(Boolean).join(" → ");
  }
  const held = isHeld && "held back: quarantined";
  if (failure) return `${waits > 0 ? `retry ${relative(job.run_at)}` : `${held || "due"},`} after ${failure}`;
  return after(waits > 1000 ? `due ${relative(job.run_at)}` : held);
}
