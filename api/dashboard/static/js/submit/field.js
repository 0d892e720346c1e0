// A field of a form with one control: text, a number, a choice, a date, or JSON.
// Only the server decides what is valid: text that cannot be read as its type is sent as it is.
import { h, setAttr, showOrHide } from "../base/dom.js";
import { Exact, parseExact, writeExact } from "../base/exact.js";
import { defaultOf, hintOf } from "./schema.js";

const INTEGER = /^-?(0|[1-9]\d*)$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const DATE = /^\d{4}-\d\d-\d\d$/;

export class Field {
  /** @param {{name: string, id: string, required: boolean, shape: import("./schema.js").Shape, defs?: any}} spec */
  constructor({ name, id, required, shape, defs }) {
    this.name = name;
    this.required = required && !shape.nullable;
    this.schema = shape.schema;
    this.kind = shape.kind;
    /** What an empty control means: not given, or the null or "" that was written into it. A control that somebody emptied looks untouched, and so means the same. @type {any} */
    this.empty = this.emptyAtFirst = required && shape.nullable ? null : undefined;
    this.input = this.makeInput(id, shape);
    this.input.addEventListener("input", () => { this.empty = this.emptyAtFirst; });
    this.problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
    setAttr(this.input, "aria-describedby", `${id}-hint ${id}-problem`);
    const hint = [hintOf(shape, defs), defaultOf(this.schema)].filter(Boolean).join(" · ");
    this.node = h("div", { class: "field" },
      h("label", { for: id }, name, this.required || shape.schema.isOption ? "" : h("span", { class: "unit" }, " optional")), this.input,
      h("p", { class: "hint", id: `${id}-hint` }, hint), this.problem);
  }

  makeInput(id, { nullable }) {
    if (this.kind === "boolean" || this.kind === "choice") {
      const values = this.kind === "boolean" ? [true, false] : this.schema.enum;
      const isOnly = this.required && values.length === 1; // else somebody has to choose
      const none = isOnly ? null : h("option", { value: "" }, this.required ? "choose" : this.empty === null ? "null" : "not given");
      return h("select", { id }, none, nullable && this.empty !== null && h("option", { value: "null" }, "null"),
        ...values.map((/** @type {any} */ value) => h("option", { value: writeExact(value) }, typeof value === "string" ? value : writeExact(value))));
    }
    const preset = this.schema.default;
    const placeholder = preset === undefined || preset === null ? (this.kind === "moment" ? "2026-01-31T12:00:00Z" : "") : typeof preset === "string" ? preset : this.kind === "list" ? preset.join(", ") : writeExact(preset);
    if (this.kind === "json" || (this.kind === "string" && !this.schema.short))
      return h("textarea", { id, rows: this.kind === "json" ? 3 : 1, spellcheck: "false", placeholder, class: this.kind });
    return h("input", { id, type: this.kind === "date" ? "date" : "text", autocomplete: "off", placeholder, inputmode: { integer: "numeric", number: "decimal" }[this.kind], list: this.schema.list });
  }

  /** Return the value; undefined: leave the field out. Throws SyntaxError for invalid JSON. */
  read() {
    const text = this.input.value;
    if (text === "") return this.empty;
    switch (this.kind) {
      case "integer": return INTEGER.test(text.trim()) ? new Exact(text.trim()) : text;
      case "number": return NUMBER.test(text.trim()) ? new Exact(text.trim()) : text;
      case "list": return text.split(/[\s,]+/).filter(Boolean).map((/** @type {string} */ one) => (this.schema.of === "integer" && INTEGER.test(one) ? new Exact(one) : one));
      case "boolean": case "choice": return parseExact(text);
      case "json": return this.readJson(text);
      default: return text;
    }
  }

  readJson(text) {
    try { return parseExact(text); } catch (error) {
      this.showProblem([], `is not valid JSON: ${error.message}`);
      throw error;
    }
  }

  /** Fill in a value; undefined: none. @param {any} value */
  write(value) {
    this.empty = value === null || value === "" ? value : this.emptyAtFirst;
    const isText = typeof value === "string" && this.kind !== "json" && this.kind !== "choice";
    const text = value === undefined || value === null ? "" : isText ? value : this.kind === "list" ? value.join(", ") : writeExact(value, this.kind === "json" ? 2 : 0);
    if (this.kind === "date") this.input.type = text === "" || DATE.test(text) ? "date" : "text"; // a date picker cannot show every value
    this.input.value = text;
    if (value === null && this.input.tagName === "SELECT" && this.emptyAtFirst !== null) this.input.value = "null";
  }

  /** Show a problem of this field, or of what is at `path` inside it. @param {string[]} path @param {string} text */
  showProblem(path, text) {
    const both = [path.join("/"), text].filter(Boolean).join(": ");
    showOrHide(this.problem, this.problem.hidden ? both : `${this.problem.textContent} · ${both}`);
    setAttr(this.input, "aria-invalid", "true");
  }

  clearProblems() {
    showOrHide(this.problem, "");
    setAttr(this.input, "aria-invalid", false);
  }
}
