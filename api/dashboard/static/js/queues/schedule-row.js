// One row of the schedules: when it runs, what became of its last job, and running or pausing it.
import { arrange, byId, h, icon, setAttr, setText } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { PastRuns } from "./past-runs.js";
import { askPause, pausedBefore, showPause, showPauseButton } from "./paused.js";
import { action, cell, wrappable } from "../lists/rows.js";
import { isZone, relative, setTime, timeNode } from "../base/time.js";
import { duration, spaced } from "../base/words.js";

export class ScheduleRow {
  /** @param {any} schedule @param {() => void} changed called after an action */
  constructor(schedule, changed) {
    const { name } = schedule;
    this.changed = changed;
    this.type = h("a", {});
    this.missed = h("p", { class: "missed", hidden: true });
    this.words = h("span", { class: "words" });
    this.raw = h("small", {});
    this.first = h("time", { "data-form": "relative" });
    this.none = h("span", {});
    this.paused = h("p", { class: "paused", hidden: true });
    this.all = h("small", { class: "all" });
    this.zone = h("small", { class: "zone" });
    this.last = h("div", { class: "outcome" });
    this.runs = new PastRuns(schedule.tag);
    this.pause = action("Pause …", `Pause ${name}`, () => this.confirmPause());
    this.node = h("tr", { role: "row", id: `schedule-${name}` },
      cell("name", "", h("b", {}, ...wrappable(name)), h("small", {}, this.type), this.missed),
      cell("when", "when", this.words, this.raw),
      cell("next", "next five", this.first, this.none, this.paused, this.all, this.zone),
      cell("last", "last five", this.last, this.runs.node),
      cell("actions num", "", action("Run now …", `Run ${name} now`, () => this.confirmRun()), this.pause));
    this.nodes = [this.node];
  }

  /** @param {any} schedule */
  show(schedule) {
    this.schedule = schedule;
    const { type, in_words: words, cron, timezone, paused, queue, missed } = schedule;
    setAttr(this.node, "data-paused", paused);
    setAttr(this.type, "href", `/ui/types#type-${encodeURIComponent(type)}`);
    setText(this.type, queue ? `${type} in ${queue}` : type);
    setText(this.words, words);
    setText(this.raw, cron ? `${cron} · ${timezone}` : "");
    this.missed.hidden = !missed;
    const shown = missed && `${missed} ${timezone}`;
    if (missed && this.missed.dataset.shown !== shown) {
      this.missed.dataset.shown = shown;
      this.missed.replaceChildren(icon("degraded"), h("span", {}, "The run of ", this.timeOfRun(missed), " has not come: it was due ", timeNode(missed), "."));
    }
    this.showNext();
    this.showLast();
    this.runs.show(schedule.last_runs.filter(({ job }) => job !== schedule.last_job));
    showPauseButton(this.pause, schedule);
  }

  showNext() {
    const { next_runs: runs, paused, pause, cron, timezone } = this.schedule;
    const [first] = runs;
    this.first.hidden = !first;
    if (first) setTime(this.first, first);
    setText(this.none, first || pause ? "" : paused ? "paused" : "never again");
    showPause(this.paused, pause);
    arrange(this.all, runs.map((at, i) => this.all.children[i] ?? timeNode(at, "short")));
    runs.forEach((at, i) => this.setRun(this.all.children[i], at));
    setText(this.zone, runs.length && cron && isZone(timezone) ? `in ${timezone}` : "");
  }

  /** The time of a run, in the time zone of the schedule if it has a cron expression. @param {string} at */
  timeOfRun(at) {
    const node = timeNode(at, "short");
    this.setRun(node, at);
    return node;
  }

  /** Show a time of a run in that zone, which a change of the configuration may have changed. @param {any} node @param {string} at */
  setRun(node, at) {
    const { cron, timezone } = this.schedule;
    setAttr(node, "data-zone", cron && isZone(timezone) ? timezone : null);
    setTime(node, at);
  }

  showLast() {
    const { last_run: at, last_job: id, last_result: result, last_runs: runs } = this.schedule;
    const never = runs.length ? "not since it was added again" : "never";
    const key = JSON.stringify([at, id, result, never]);
    if (this.shown === key) return;
    this.shown = key;
    if (!at) return this.last.replaceChildren(h("span", { class: "hint" }, never));
    setAttr(this.last, "data-status", result?.status ?? null);
    const words = result ? spaced(result.status) : "its job was deleted";
    const took = result?.ran_s === null || !result ? "" : ` in ${duration(result.ran_s)}`;
    this.last.replaceChildren(result ? icon(result.status) : "", h("span", {}, `${words}${took}`), result?.error ? h("small", { class: "bad" }, result.error) : "",
      h("small", {}, timeNode(at), " · ", result ? h("a", { href: `/ui/jobs/${id}` }, `job ${id}`) : `job ${id}`));
  }

  confirmRun() {
    const { name, type } = this.schedule;
    confirm({
      title: `Run ${name} now?`,
      text: `A ${type} job is submitted now. The times of the schedule stay as they are.`,
      yes: "Run it now",
      path: `/schedules/${name}/run`,
      done: ({ id }) => { byId("result").replaceChildren(`${name}: submitted `, h("a", { href: `/ui/jobs/${id}` }, `job ${id}`), "."); this.changed(); },
    });
  }

  confirmPause() {
    const { paused, pause, next_runs: [first] } = this.schedule;
    const text = paused ? `${pausedBefore(pause)}It runs again from its next time on. Times that have passed while it was paused are not made up for.`
      : `It submits no job until it is resumed, even after a restart.${first ? ` Its next run would be ${relative(first)}.` : ""}`;
    askPause("schedule", this.schedule, text, this.changed);
  }
}
