// The job's log: the stored lines first, then new lines as they are written; by level, and by a text.
// All lines come from the stream, which is told the last one that is known whenever it connects.
import { byId, h, setText } from "./dom.js";
import { writeExact } from "./exact.js";
import { LogWindow } from "./log-window.js";
import { timeNode } from "./time.js";
import { count, plural } from "./words.js";

const LEVELS = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
const MOST_LINES = 50_000;
const TYPING_MS = 150;
const READER_MS = 1000; // a wheel scrolls on for a while

/** @typedef {{line: any, level: number, extra: string, text: string, part: number | null}} Entry `part`: the number of an attempt that begins here */

export class Log {
  constructor() {
    /** The id of the last line. */
    this.last = 0;
    /** @type {Entry[]} */
    this.entries = [];
    this.attempt = 0;
    this.forgotten = 0;
    this.touched = -Infinity;
    this.node = byId("log");
    this.follow = byId("log-follow");
    this.level = byId("log-level");
    this.search = byId("log-search");
    this.window = new LogWindow(this.node, (entry) => this.row(entry), () => this.scrollToEnd());
    this.level.addEventListener("change", () => this.showAll());
    this.search.addEventListener("input", () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.showAll(), TYPING_MS); });
    this.follow.addEventListener("change", () => this.toEnd());
    // What scrolls may be the reader or the page itself: only the reader changes what is followed.
    for (const kind of ["wheel", "touchmove", "keydown"]) this.node.addEventListener(kind, () => { this.touched = performance.now(); }, { passive: true });
    this.node.addEventListener("pointerdown", () => {
      this.touched = Infinity;
      addEventListener("pointerup", () => { this.touched = performance.now(); }, { once: true });
    });
    this.node.addEventListener("scroll", () => { if (performance.now() - this.touched < READER_MS) this.updateFollow(); }, { passive: true });
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
    this.wanted = this.search.value.trim().toLowerCase();
    this.attempt = 0;
    this.window.replace([]);
    this.add(this.entries);
  }

  add(entries) {
    const least = Number(this.level.value);
    const wanted = entries.filter(({ level, text }) => level >= least && (!this.wanted || text.includes(this.wanted)));
    for (const entry of wanted) {
      entry.part = entry.line.attempt === this.attempt ? null : entry.line.attempt;
      this.attempt = entry.line.attempt;
    }
    this.window.append(wanted);
    this.window.forget(MOST_LINES);
    this.showSummary();
    this.toEnd();
  }

  row({ line: { at, level, line }, level: rank, extra, part }) {
    const row = h("div", { class: "line", "data-level": rank },
      timeNode(at, "clock"), h("span", { class: "level" }, level), h("span", { class: "text" }, ...this.marked(line), extra && h("span", { class: "extra" }, ...this.marked(` ${extra}`))));
    return part === null ? row : h("div", {}, h("div", { class: "part" }, `attempt ${part}`), row);
  }

  /** The text, with what was searched for marked. @param {string} text @returns {any[]} */
  marked(text) {
    const at = this.wanted ? text.toLowerCase().indexOf(this.wanted) : -1;
    if (at < 0) return [text];
    const end = at + this.wanted.length;
    return [text.slice(0, at), h("mark", {}, text.slice(at, end)), ...this.marked(text.slice(end))];
  }

  showSummary() {
    const all = this.entries.length;
    byId("log-section").toggleAttribute("data-empty", !all);
    const newest = this.forgotten ? `, the newest of ${count(all + this.forgotten)}` : "";
    const filtered = this.wanted || Number(this.level.value);
    setText(byId("log-summary"), !all ? "no lines" : filtered ? `${count(this.window.count)} of ${plural(all, "line")}` : plural(all, "line") + newest);
  }

  /** Draw the end and go there, once for all lines that come before the page is drawn. */
  toEnd() {
    if (!this.follow.checked) return;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.window.drawLast();
      this.scrollToEnd();
    });
  }

  scrollToEnd() { if (this.follow.checked) this.node.scrollTop = this.node.scrollHeight; }

  /** Stop following when the reader scrolls up, and follow again at the end. */
  updateFollow() {
    const { scrollTop, scrollHeight, clientHeight } = this.node;
    this.follow.checked = scrollTop + clientHeight >= scrollHeight - 4;
  }
}

/** @returns {Entry} */
function entryOf(line) {
  const extra = Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : writeExact(value)}`).join(" ");
  return { line, level: LEVELS[line.level] ?? 1, extra, text: `${line.line} ${extra}`.toLowerCase(), part: null };
}
