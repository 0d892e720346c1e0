// How the system is, in a sentence with its cause, and the problems, which have a room of their own.
//
// Nothing below moves when a problem comes or goes: in a wide window the room is beside the figures, and scrolls. In a
// narrow one it is as high as when it was opened, by the page at its start or by the reader.
import { byId, setText } from "../base/dom.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { minute, now, timeOf } from "../base/time.js";
import { addressOf, SEVERITIES } from "../base/verdict.js";
import { count, plural } from "../base/words.js";
import { showProblemCount } from "../frame/chrome.js";
import { confirm } from "../frame/confirm.js";

const room = byId("needs"), headline = byId("verdict");

export class Verdict {
  /** @param {() => void} changed called after a problem was acknowledged */
  constructor(changed) {
    this.changed = changed;
    /** @type {any[]} */
    this.workers = [];
    byId("show-problems").addEventListener("click", () => this.open());
    addEventListener("lost", (event) => this.showLost(/** @type {CustomEvent} */ (event).detail));
    addEventListener("reconnected", () => this.stats && this.show(this.stats));
  }

  /** @param {any[]} workers */
  learn(workers) { this.workers = workers; }

  /** @param {any} stats as GET /stats gives them */
  show(stats) {
    const isFirst = !this.stats, { concerns } = stats.verdict, news = concerns.filter((/** @type {any} */ { acknowledged }) => !acknowledged);
    this.stats = stats;
    setText(headline, stats.verdict.headline);
    headline.classList.toggle("alarm", news.some((/** @type {any} */ { severity }) => severity !== "cosmetic"));
    draw(news.length ? html`${linkOf(news[0])}${commandOf(news[0])}` : this.wellBeing(stats), byId("sentence"));
    draw(html`${concerns.map((/** @type {any} */ concern) => this.line(concern))}${concerns.length ? nothing : html`<li class="hint none">No problems.</li>`}`, byId("concerns"));
    if (isFirst && concerns.length) this.open();
    byId("show-problems").hidden = !concerns.length || room.classList.contains("open");
    showProblemCount(news.length);
  }

  open() {
    room.classList.add("open");
    byId("show-problems").hidden = true;
    room.style.setProperty("--height", `${Math.min(byId("concerns").scrollHeight, innerHeight)}px`);
  }

  /** @param {any} concern */
  line(concern) {
    const { code, text, severity, acknowledged: known, about, since } = concern, [sign, word] = SEVERITIES[severity] ?? SEVERITIES.loses_money;
    const subject = about?.name ?? "", call = (/** @type {string} */ verb, /** @type {any} */ more) => confirm({
      path: `/concerns/${code}/${verb}`, body: { subject }, text, done: this.changed, ...more });
    const button = known
      ? html`<button type="button" class="quiet" data-needs="operator" aria-label="Ask for attention again: ${text}" @click=${() => call("unacknowledge", { title: "Ask for attention again?", yes: "Ask again" })}>undo …</button>`
      : html`<button type="button" class="quiet" data-needs="operator" aria-label="Acknowledge: ${text}" @click=${() => call("acknowledge", { title: "Acknowledge this problem?", yes: "Acknowledge", asksFor: true })}>acknowledge …</button>`;
    return html`<li class=${known ? "known" : severity} data-code=${code}>
      ${icon(known ? "done" : sign)}
      <div>${linkOf(concern)}${commandOf(concern)}
        <small><span>${known ? html`acknowledged by ${known.by} until ${timeOf(known.until, "short")}: ${known.reason}` : word}${since ? html` · since ${timeOf(since, "short")}` : nothing}</span> ${button}</small></div></li>`;
  }

  /** What a system does that is well. @param {any} stats */
  wellBeing({ throughput, counts }) {
    const slots = this.workers.filter(({ pool, role, leaves }) => pool !== null && role !== "program" && !leaves);
    const ready = slots.filter(({ state, silent }) => state === "ready" && !silent).length;
    const { done, failed, cancelled, since } = throughput.last_5_min, ended = done + failed + cancelled;
    return [`${ready} of ${plural(slots.length, "worker")} ready`,
      ended ? `${plural(ended, "job")} ended since ${minute(since)}, ${failed ? count(failed) : "none"} failed` : `no job ended since ${minute(since)}`,
      counts.in_progress && `${count(counts.in_progress)} in progress`].filter(Boolean).join(" · ");
  }

  /** Say that nothing answers any more. @param {boolean} isStopped Orpheus was stopped on purpose */
  showLost(isStopped) {
    setText(headline, isStopped ? "Orpheus was stopped." : "Disconnected.");
    headline.classList.remove("alarm");
    draw(`Everything below shows the state at ${minute(new Date(now()).toISOString())}.`, byId("sentence"));
  }
}

/** @param {any} concern */
const linkOf = (concern) => html`<a href=${addressOf(concern) ?? nothing}>${concern.text}</a>`;

/** @param {any} concern */
const commandOf = ({ command }) => (command ? html` <code>${command}</code>` : nothing);
