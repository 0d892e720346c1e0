// The text of the configuration file, with the numbers of its lines and marks where something is wrong.
import { hideEffects } from "./change-preview.js";
import { byId, h, setAttr, setText } from "../base/dom.js";

export class TomlEditor {
  area = byId("text");
  gutter = byId("gutter");
  lines = 0;
  /** The line endings of the text that was put here; in the text area, all are alike. */
  lineEnd = "\n";

  /** @param {() => void} edited is called with each change */
  constructor(edited) {
    this.edited = edited;
    this.area.addEventListener("input", () => { this.mark(null); this.number(); this.grow(); edited(); });
    this.area.addEventListener("scroll", () => { this.gutter.scrollTop = this.area.scrollTop; });
  }

  get text() { return this.area.value.replaceAll("\n", this.lineEnd); }

  /** Whether this is the text that is shown. @param {string} text */
  holds(text) { return this.area.value === text.replaceAll(/\r\n?/g, "\n"); }

  /** @param {string} text */
  put(text) {
    this.area.value = text;
    this.lineEnd = /\r?\n/.exec(text)?.[0] ?? "\n";
    this.number();
    this.area.rows = this.lines;
    this.edited();
  }

  /** @param {boolean} can */
  setEditable(can) { this.area.readOnly = !can; }

  focus() { this.area.focus(); }

  number() {
    const count = this.area.value.split("\n").length;
    if (count === this.lines) return;
    this.lines = count;
    this.gutter.replaceChildren(...Array.from({ length: count }, (_, i) => h("span", {}, i + 1)));
    this.gutter.scrollTop = this.area.scrollTop;
  }

  /** Make the area as tall as the text, but never shrink it while somebody types: what is below must not jump. */
  grow() { this.area.rows = Math.max(this.area.rows, this.lines); }

  /** Mark the lines of problems, and list these. @param {{key: string, detail: string, line: number | null, place: string | null}[]} problems */
  showProblems(problems) {
    this.number();
    this.gutter.querySelectorAll(".wrong").forEach((/** @type {Element} */ mark) => mark.classList.remove("wrong"));
    for (const { line } of problems) this.gutter.children[(line ?? 0) - 1]?.classList.add("wrong");
    byId("problems").replaceChildren(...problems.map(({ key, detail, line, place }) => h("li", {},
      line && this.area.checkVisibility() ? h("button", { type: "button", class: "quiet", onclick: () => this.goTo(line) }, `line ${line}`) : h("span", { class: "summary" }, place ?? "the text"),
      h("span", {}, key && h("code", {}, key), key && ": ", detail))));
  }

  /** Say what a check has found; if that is bad, or nothing, the result of an earlier check is removed. @param {string} text @param {string} state "good", "bad" or "" */
  showVerdict(text, state) {
    setText(byId("verdict"), text);
    setAttr(byId("verdict"), "data-state", state || false);
    setAttr(this.area, "aria-invalid", state === "bad" ? "true" : false);
    if (text && state !== "bad") return;
    hideEffects();
    this.showProblems([]);
  }

  /** Mark one line, and no other. @param {Element | null} number in the gutter */
  mark(number) {
    this.gutter.querySelector(".here")?.classList.remove("here");
    number?.classList.add("here");
  }

  /** Select a line, mark its number, and scroll to it: the text to the line, then the page. @param {number} line */
  goTo(line) {
    const { area } = this;
    const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = area.value.indexOf("\n", before);
    area.focus({ preventScroll: true });
    area.setSelectionRange(before, end < 0 ? area.value.length : end);
    area.scrollTop = Math.max(0, area.scrollHeight * ((line - 4) / this.lines));
    this.gutter.scrollTop = area.scrollTop;
    const number = this.gutter.children[line - 1];
    this.mark(number);
    area.scrollIntoView({ block: "nearest" });
    number?.scrollIntoView({ block: "nearest" }); // if the window has no room for the whole text
  }
}
