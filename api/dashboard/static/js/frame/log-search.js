// The search in a log: the field, which lines match, and what is marked in them.
import { byId, h, setAttr } from "../base/dom.js";

const TYPING_MS = 150;

export class LogSearch {
  /** @param {any} box the box of the log @param {() => void} changed called when another text is searched for */
  constructor(box, changed) {
    this.box = box;
    this.changed = changed;
    this.field = byId("log-search");
    /** In lower case; empty: nothing is searched for. A text may have been typed before this listened. */
    this.wanted = this.field.value.trim().toLowerCase();
    this.field.addEventListener("input", () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.take(), TYPING_MS); });
  }

  take() {
    // During a search the box stays as high as before, so that what is below it keeps its place.
    if (!this.wanted) this.box.style.minHeight = `${this.box.offsetHeight}px`;
    this.wanted = this.field.value.trim().toLowerCase();
    if (!this.wanted) this.box.style.minHeight = "";
    this.changed();
  }

  /** Say in the box why it is empty. @param {string | null} text */
  sayNone(text) { setAttr(this.box, "data-none", text); }

  /** @param {string} text in lower case */
  matches(text) { return text.includes(this.wanted); }

  /** The text, with what is searched for marked. @param {string} text @returns {any[]} */
  marked(text) {
    const lower = text.toLowerCase(), parts = [];
    let from = 0;
    for (let at = this.wanted ? lower.indexOf(this.wanted) : -1; at >= 0; at = lower.indexOf(this.wanted, from)) {
      const end = at + this.wanted.length;
      parts.push(text.slice(from, at), h("mark", {}, text.slice(at, end)));
      from = end;
    }
    return [...parts, text.slice(from)];
  }
}
