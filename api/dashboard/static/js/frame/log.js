// The job's log: the stored lines first, then new lines as they are written; by level, and by a text.
// All lines come from the stream, which is told the last one that is known whenever it connects.
import { byId, h, setText } from "../base/dom.js";
import { writeExact } from "../base/exact.js";
import { Following } from "./log-following.js";
import { LogSearch } from "./log-search.js";
import { LogWindow } from "./log-window.js";
import { timeNode } from "../base/time.js";
import { count, plural, withoutColours } from "../base/words.js";

const LEVELS = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
const MOST_LINES = 50_000;

/** @typedef {{line: any, level: number, extra: string, text: string, part: number | null}} Entry `part`: the number of an attempt that begins here */

export class Log {
  constructor() {
    /** The id of the last line. */
    this.last = 0;
    /** @type {Entry[]} */
    this.entries = [];
    this.attempt = 0;
    this.forgotten = 0;
    this.node = byId("log");
    this.level = byId("log-level");
    this.window = new LogWindow(this.node, (entry) => this.row(entry), () => this.following.scrollToEnd());
    this.following = new Following(this.node, () => this.window.drawLast());
    this.search = new LogSearch(this.node, () => this.showAll());
    this.level.addEventListener("change", () => this.showAll());
    this.showSummary();
  }

  /** Take lines, those that are known already excepted. @param {any[]} lines */
  take(lines) {
    const fresh = lines.filter(({ id }) => id > this.last).map(entryOf);
    if (!fresh.length) return;
    this.last = fresh[fresh.length - 1].line.id;
    this.entries.push(...fresh);
    const over = this.entries.length - MOST_LINES;
    if (over > 0) { this.entries.splice(0, over); this.forgotten += over; }
    this.add(fresh);
  }

  /** Show all lines anew: the level or the text has changed. */
  showAll() {
    this.attempt = 0;
    this.window.replace([]);
    this.add(this.entries);
    setText(byId("log-found"), byId("log-summary").textContent); // announced once, not for each line that comes
  }

  add(entries) {
    const least = Number(this.level.value);
    const wanted = entries.filter(({ level, text }) => level >= least && this.search.matches(text));
    for (const entry of wanted) {
      entry.part = entry.line.attempt === this.attempt ? null : entry.line.attempt;
      this.attempt = entry.line.attempt;
    }
    this.window.append(wanted);
    this.window.forget(MOST_LINES);
    this.showSummary();
    this.following.toEnd();
  }

  row({ line: { at, level, line }, level: rank, extra, part }) {
    const row = h("div", { class: "line", "data-level": rank },
      timeNode(at, "clock"), h("span", { class: "level" }, level), h("span", { class: "text" }, ...this.search.marked(line), extra && h("span", { class: "extra" }, ...this.search.marked(` ${extra}`))));
    return part === null ? row : h("div", {}, h("div", { class: "part" }, `attempt ${part}`), row);
  }

  showSummary() {
    const all = this.entries.length;
    byId("log-section").toggleAttribute("data-empty", !all);
    const newest = this.forgotten ? `, the newest of ${count(all + this.forgotten)}` : "";
    const filtered = this.search.wanted || Number(this.level.value);
    this.search.sayNone(all && !this.window.count ? `None of the ${this.forgotten ? "newest " : ""}${plural(all, "line")} matches.` : null);
    setText(byId("log-summary"), !all ? "no lines" : filtered ? `${count(this.window.count)} of ${plural(all, "line")}` : plural(all, "line") + newest);
  }
}

/** @returns {Entry} */
function entryOf(told) {
  const line = { ...told, line: withoutColours(told.line) };
  const extra = Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : writeExact(value)}`).join(" ");
  return { line, level: LEVELS[line.level] ?? 1, extra, text: `${line.line} ${extra}`.toLowerCase(), part: null };
}
