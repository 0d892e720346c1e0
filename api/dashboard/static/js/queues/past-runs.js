// The earlier runs of a schedule as small marks, newest first, each a link to its job.
import { arrange, h, icon, setAttr, setText } from "../base/dom.js";
import { ago } from "../base/time.js";
import { duration, spaced } from "../base/words.js";

export class PastRuns {
  /** @param {string} tag of the jobs of the schedule */
  constructor(tag) {
    this.node = h("div", { class: "runs", hidden: true });
    this.all = h("a", { href: `/ui/jobs?${new URLSearchParams({ tag })}` }, "all runs");
    /** Job id -> its mark. @type {Map<number, Mark>} */
    this.marks = new Map();
  }

  /** Show the runs. A mark that somebody points at or has focused stays where it is. @param {any[]} runs */
  show(runs) {
    const marks = new Map(runs.map((run) => [run.job, this.marks.get(run.job) ?? new Mark(run.job)]));
    for (const run of runs) marks.get(run.job).show(run);
    if (this.node.matches(":hover, :focus-within")) return;
    this.marks = marks;
    arrange(this.node, [...[...this.marks.values()].map(({ node }) => node), this.all]);
    this.node.hidden = !runs.length;
  }
}

class Mark {
  constructor(job) {
    this.text = h("span", {});
    this.node = h("a", { class: "run", href: `/ui/jobs/${job}` }, this.text);
  }

  show({ job, at, status, ran_s: ran, error }) {
    if (this.status !== status) this.node.replaceChildren(icon(status), this.text);
    this.status = status;
    setAttr(this.node, "data-status", status);
    setText(this.text, ran === null ? spaced(status) : duration(ran));
    const words = `${spaced(status)}${ran === null ? "" : ` in ${duration(ran)}`}${error ? ` (${error})` : ""}, ${ago(at)}, job ${job}`;
    setAttr(this.node, "aria-label", words);
    setAttr(this.node, "title", words);
  }
}
