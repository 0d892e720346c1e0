// One row of the jobs table. An update changes only text that differs; no node moves.
import { arrange, h, icon, selectedIn, setAttr, setText, wrappable } from "../base/dom.js";
import { takenText } from "../base/slot-state.js";
import { between, now, relative, setTime, timeNode, waitsSince } from "../base/time.js";
import { TERMINAL, WAITING, aged, duration, endedWithAnother, listed, spaced, ticking } from "../base/words.js";
import { preview } from "../base/preview.js";

const MOST_NAMED = 3;

export class JobRow {
  /** @param {any} job @param {{isSelectable: boolean, isByEnd: () => boolean, isHeld: (type: string) => boolean}} how `isHeld`: whether a type is quarantined */
  constructor(job, { isSelectable, isByEnd, isHeld }) {
    Object.assign(this, { isByEnd, isHeld });
    const cell = (name, ...children) => (this[name] = h("td", { role: "cell", class: name }, ...children));
    this.mark = h("span", { class: "mark" });
    this.word = h("span", {});
    this.bar = h("progress", { max: 1, hidden: true, "aria-label": `Progress of job ${job.id}` });
    this.text = h("span", { class: "text" });
    this.tags = h("span", { class: "tags" });
    this.when = timeNode(job.created_at, "aged");
    if (isSelectable) this.box = h("input", { type: "checkbox", "aria-label": `Select job ${job.id}`, tabindex: "-1" });
    this.node = h("tr", { role: "row", "data-id": job.id },
      this.box && cell("pick", h("label", {}, this.box)),
      cell("id", h("a", { href: `/ui/jobs/${job.id}` }, job.id)),
      cell("status", this.mark, this.word),
      cell("type", h("a", { href: `/ui/jobs/${job.id}`, tabindex: "-1", title: job.type }, ...wrappable(job.type))),
      cell("detail", this.bar, this.text, this.tags), cell("attempt"), cell("queue"),
      cell("wait"), cell("ran"), cell("worker"), h("td", { role: "cell", class: "when" }, this.when));
    /** @type {any} */
    this.job = {};
    this.show(job);
  }

  /** Show the job as it is now. What an event does not carry, such as the payload, stays as it was read. @param {any} job */
  show(job) {
    this.job = { ...this.job, ran_until: null, ...job };
    this.paint();
  }

  /** Show that the job is gone: nothing can be done with it, and nothing changes any more. */
  markDeleted() {
    this.isDeleted = true;
    this.node.classList.add("other");
    if (this.box) this.box.disabled = true;
    setText(this.word, "deleted");
  }

  /** Write what differs, but nothing while text of the row is selected. */
  paint() {
    if (selectedIn(this.node)) return;
    const { job } = this;
    if (this.node.dataset.status !== job.status) {
      this.node.dataset.status = job.status;
      this.mark.replaceChildren(icon(job.status));
    }
    setText(this.word, this.isDeleted ? "deleted" : job.cancel_requested && job.status === "in_progress" ? "stopping" : spaced(job.status));
    setText(this.queue, job.queue);
    setText(this.attempt, job.attempt || "–");
    setText(this.worker, job.worker ?? "");
    this.bar.hidden = job.status !== "in_progress" || job.progress === null;
    if (!this.bar.hidden) this.bar.value = job.progress;
    if (this.tags.childElementCount !== job.tags.length)
      arrange(this.tags, job.tags.map((tag) => h("a", { href: `/ui/jobs?tag=${encodeURIComponent(tag)}` }, tag)));
    setTime(this.when, (this.isByEnd() && job.finished_at) || job.created_at);
    this.paintTimes(job);
  }

  /** Show whether the job is selected. @param {boolean} isChosen */
  choose(isChosen) {
    if (!this.box) return;
    this.box.checked = isChosen;
    this.node.classList.toggle("chosen", isChosen);
  }

  paintTimes(job) {
    const text = describe(job, this.isHeld(job.type));
    setText(this.text, [text, takenText(job)].filter(Boolean).join(" · "));
    setAttr(this.text, "title", text);
    this.text.classList.toggle("bad", job.status === "failed");
    setText(this.wait, waited(job));
    setText(this.ran, !job.started_at || WAITING.has(job.status) ? "–"
      : job.finished_at ? duration(between(job.started_at, job.ran_until ?? job.finished_at)) : ticking(between(job.started_at)));
  }
}

function waited(job) {
  if (job.status === "in_progress" || (job.started_at && TERMINAL.has(job.status)))
    return duration(between(waitsSince(job), job.started_at));
  if (job.status !== "pending") return "–";
  return Date.parse(job.run_at) > now() ? "–" : aged(between(waitsSince(job)));
}

/** @param {any} job @param {boolean} isHeld its type is quarantined */
function describe(job, isHeld) {
  const failure = job.error && `${job.error.type}: ${job.error.message}`;
  const payload = preview(job.payload);
  if (job.status === "failed") return failure ?? "";
  if (job.status === "cancelled" && endedWithAnother(job)) return [job.error.message, payload].filter(Boolean).join(" · ");
  if (job.status === "blocked" && job.depends_on.length)
    return [`after job${job.depends_on.length > 1 ? "s" : ""} ${listed(job.depends_on, MOST_NAMED)}`, payload].filter(Boolean).join(" · ");
  const held = isHeld && "held back: quarantined";
  if (job.status === "pending" && failure) return `${Date.parse(job.run_at) > now() ? `retry ${relative(job.run_at)}` : `${held || "due"},`} after ${failure}`;
  if (job.status === "pending" && Date.parse(job.run_at) > now() + 1000) return [`due ${relative(job.run_at)}`, payload].filter(Boolean).join(" · ");
  if (job.status === "pending" && held) return [held, payload].filter(Boolean).join(" · ");
  if (job.status === "in_progress") return job.message || payload;
  const result = job.status === "done" && preview(job.result);
  return result ? [payload, "→", result].filter(Boolean).join(" ") : payload;
}
