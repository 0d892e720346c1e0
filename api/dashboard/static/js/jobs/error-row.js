// One group of failed jobs, and retrying or deleting all of it.
import { WORDS, doneText, questionOf } from "./bulk.js";
import { byId, h, setAttr, setText } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { action, cell, wrappable } from "../lists/rows.js";
import { setTime, timeNode } from "../base/time.js";
import { count } from "../base/words.js";

/** For how many jobs `messages` is complete. */
const ALL_COMPARED = 2;
const ACTIONS = ["retry", "delete"];

export class ErrorRow {
  /** @param {any} group @param {() => void} changed called after an action */
  constructor(group, changed) {
    const { type, error, where, first_seen: first, last_seen: last } = group;
    this.changed = changed;
    this.jobs = h("a", { href: `/ui/jobs?${new URLSearchParams({ type, status: "failed", error, ...(where ? { where } : {}), sort: "ended" })}`, title: `These jobs: ${type} with ${error}` });
    this.hour = h("span");
    this.before = h("small");
    this.first = timeNode(first);
    this.last = timeNode(last);
    this.newest = h("a", {});
    this.which = h("span", { class: "which" });
    this.text = h("span");
    this.message = h("span", { class: "message" }, this.which, this.text);
    this.node = h("tr", { role: "row" },
      cell("name", "", h("a", { href: `/ui/types#type-${encodeURIComponent(type)}` }, ...wrappable(type))),
      cell("error", "", h("b", {}, ...wrappable(error)), this.message, where && h("code", { class: "where" }, where)),
      cell("count num", "jobs", this.jobs),
      cell("hour num", "last hour", this.hour, this.before),
      cell("seen num", "oldest of these", this.first),
      cell("seen num", "last seen", this.last, h("small", { class: "newest" }, this.newest)),
      cell("actions num", "", ...ACTIONS.map((name) => action(`${WORDS[name].verb} …`, `${WORDS[name].verb} the jobs with ${error} of ${type}`, () => this.ask(name)))));
    this.nodes = [this.node];
  }

  /** @param {any} group */
  show(group) {
    this.group = group;
    setText(this.which, whichOf(group));
    setText(this.text, group.message);
    setAttr(this.message, "title", group.message);
    setText(this.jobs, count(group.count));
    setText(this.hour, group.last_hour ? count(group.last_hour) : "none");
    this.hour.classList.toggle("bad", group.last_hour > group.hour_before);
    this.hour.classList.toggle("nothing", !group.last_hour);
    setText(this.before, `${group.hour_before ? count(group.hour_before) : "none"} in the hour before`);
    setTime(this.first, group.first_seen);
    setTime(this.last, group.last_seen);
    setText(this.newest, `job ${group.newest}`);
    setAttr(this.newest, "href", `/ui/jobs/${group.newest}`);
  }

  /** Ask whether to act on the jobs of this group exactly as it is shown. @param {string} name */
  ask(name) {
    const { type, error, where, count: n, max_id: most } = this.group, { text } = WORDS[name];
    confirm({
      ...questionOf(name, n),
      text: `${n === 1 ? "The job of type" : `All ${count(n)} jobs of type`} ${type} that failed with ${error}${where ? ` at ${where}` : ""}, up to job ${most}. ${text} If the number has changed by then, nothing is done.`,
      body: { action: name, filter: { status: "failed", type, error, where: where ?? "" }, max_id: most, expected_count: n },
      done: ({ changed }) => { setText(byId("result"), `${doneText(name, changed, ` of ${type}`)}.`); this.changed(); },
    });
  }
}

/** Say whose message is shown: the newest job's, if others of the group may have another. */
function whichOf({ count: n, messages }) {
  if (n === 1) return "";
  return messages === 1 ? "newest: " : `newest of ${messages}${n > ALL_COMPARED ? " or more" : ""} messages: `;
}
