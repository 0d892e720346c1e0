// The job's log: what was written before, then line by line as it is written.
import { byId, h, say } from "./dom.js";
import { ask } from "./http.js";
import { writeExact } from "./exact.js";
import { timeNode } from "./time.js";
import { some } from "./words.js";

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
    const choose = () => { this.node.dataset.least = level.value; this.settle(); };
    level.addEventListener("change", choose);
    choose();
    this.follow.addEventListener("change", () => this.settle());
    this.node.addEventListener("wheel", () => this.leave(), { passive: true });
    this.node.addEventListener("keydown", () => this.leave());
    this.node.addEventListener("touchmove", () => this.leave(), { passive: true });
    this.tell();
  }

  /** Reads what is kept after the last line here. Lines that come live meanwhile wait their turn. */
  async load() {
    this.reading = true;
    try {
      for (;;) {
        const { items } = await ask(`/jobs/${this.id}/logs?after=${this.last}`, { exact: true });
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
    this.tell();
    this.settle();
  }

  nodes({ attempt, at, level, line, fields }) {
    const extra = Object.entries(fields ?? {}).map(([name, value]) => `${name}=${typeof value === "string" ? value : writeExact(value)}`).join(" ");
    const row = h("div", { class: "line", "data-level": LEVELS[level] ?? 1 },
      timeNode(at, "clock"), h("span", { class: "level" }, level), h("span", { class: "said" }, line, extra && h("span", { class: "extra" }, ` ${extra}`)));
    if (attempt === this.attempt) return [row];
    this.attempt = attempt;
    return [h("div", { class: "part" }, `attempt ${attempt}`), row];
  }

  tell() { say(byId("log-summary"), this.lines ? `${some(this.lines, "line")}${this.lines > MOST_LINES ? `, the newest ${MOST_LINES} here` : ""}` : "nothing written"); }

  settle() { if (this.follow.checked) this.node.scrollTop = this.node.scrollHeight; }

  /** Who scrolls up wants to read: following ends, and begins again at the end. */
  leave() {
    requestAnimationFrame(() => {
      const { scrollTop, scrollHeight, clientHeight } = this.node;
      this.follow.checked = scrollTop + clientHeight >= scrollHeight - 4;
    });
  }
}
