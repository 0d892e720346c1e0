// The job's log: the stored lines first, then new lines as they are written.
import { byId, h, setText } from "./dom.js";
import { request } from "./http.js";
import { writeExact } from "./exact.js";
import { timeNode } from "./time.js";
import { plural } from "./words.js";

const LEVELS = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };
const MOST_LINES = 3000;
const PAGE = 1000;

export class Log {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.last = 0;
    this.lines = 0;
    this.attempt = 0;
    /** @type {any[]} */
    this.held = [];
    this.node = byId("log");
    this.follow = byId("log-follow");
    const level = byId("log-level");
    const choose = () => { this.node.dataset.least = level.value; this.scrollToEnd(); };
    level.addEventListener("change", choose);
    choose();
    this.follow.addEventListener("change", () => this.scrollToEnd());
    this.node.addEventListener("wheel", () => this.updateFollow(), { passive: true });
    this.node.addEventListener("keydown", () => this.updateFollow());
    this.node.addEventListener("touchmove", () => this.updateFollow(), { passive: true });
    this.showSummary();
  }

  /** Read the stored lines after the last one shown. Live lines that arrive meanwhile are held back. */
  async load() {
    this.reading = true;
    try {
      for (;;) {
        const { items } = await request(`/jobs/${this.id}/logs?after=${this.last}`, { exact: true });
        this.append(items);
        if (items.length < PAGE) break;
      }
    } finally {
      this.reading = false;
      this.append(this.held.splice(0));
    }
  }

  /** @param {any[]} lines */
  take(lines) { if (this.reading) this.held.push(...lines); else this.append(lines); }

  append(lines) {
    const fresh = lines.filter(({ id }) => id > this.last);
    if (!fresh.length) return;
    this.node.append(...fresh.flatMap((line) => this.nodes(line)));
    this.last = fresh[fresh.length - 1].id;
    this.lines += fresh.length;
    while (this.node.childElementCount > MOST_LINES) this.node.firstElementChild.remove();
    this.showSummary();
    this.scrollToEnd();
  }

  nodes({ attempt, at, level, line, fields }) {
    const extra = Object.entries(fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : writeExact(value)}`).join(" ");
    const row = h("div", { class: "line", "data-level": LEVELS[level] ?? 1 },
      timeNode(at, "clock"), h("span", { class: "level" }, level), h("span", { class: "text" }, line, extra && h("span", { class: "extra" }, ` ${extra}`)));
    if (attempt === this.attempt) return [row];
    this.attempt = attempt;
    return [h("div", { class: "part" }, `attempt ${attempt}`), row];
  }

  showSummary() { setText(byId("log-summary"), this.lines ? `${plural(this.lines, "line")}${this.lines > MOST_LINES ? `, the newest ${MOST_LINES} shown` : ""}` : "no lines"); }

  scrollToEnd() { if (this.follow.checked) this.node.scrollTop = this.node.scrollHeight; }

  /** Stop following when the reader scrolls up, and follow again at the end. */
  updateFollow() {
    requestAnimationFrame(() => {
      const { scrollTop, scrollHeight, clientHeight } = this.node;
      this.follow.checked = scrollTop + clientHeight >= scrollHeight - 4;
    });
  }
}
