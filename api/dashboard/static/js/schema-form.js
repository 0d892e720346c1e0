// Form fields made from a JSON Schema. Only the server decides what is valid: text that a field
// cannot read as its type is sent as it is, and the server's error is shown at the field.
import { h, setAttr, showOrHide } from "./dom.js";
import { Exact, parseExact, writeExact } from "./exact.js";

const INTEGER = /^-?(0|[1-9]\d*)$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** @typedef {{name: string, schema: any, required: boolean}} FieldSpec */

/** Return the fields of an object schema; null if it names none (then the form has one JSON field). @param {any} schema @returns {FieldSpec[] | null} */
export function fieldsOf(schema) {
  if (!schema?.properties) return null;
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, part]) => ({ name, schema: resolve(part, schema.$defs ?? {}), required: required.has(name) }));
}

/** Follow a reference, and reduce "this type or null" to the type. */
function resolve(part, defs) {
  const at = part.$ref ? { ...defs[part.$ref.split("/").pop()], ...part } : part;
  const kinds = (at.anyOf ?? []).filter(({ type }) => type !== "null");
  return kinds.length === 1 ? { ...at, ...resolve(kinds[0], defs), default: at.default ?? undefined } : at;
}

const kindOf = (schema) => (schema.enum ? "choice" : ["integer", "number", "string", "boolean", "list"].includes(schema.type) ? schema.type : "json");

/** A field in words: "the width · integer · at least 1 · default 640". @param {FieldSpec} field */
export function describeField({ schema }) {
  const kind = kindOf(schema);
  const values = kind === "choice" ? `one of ${schema.enum.map((value) => writeExact(value)).join(", ")}` : kind === "boolean" ? "true or false" : "";
  const preset = schema.default === undefined ? "" : `default ${writeExact(schema.default)}`;
  return [hintOf(schema, kind), values, preset].filter(Boolean).join(" · ") || "any value";
}

export class Field {
  /** @param {FieldSpec} spec @param {string} prefix of the id */
  constructor({ name, schema, required }, prefix) {
    this.name = name;
    this.schema = schema;
    this.required = required;
    this.kind = kindOf(schema);
    const id = `${prefix}-${name}`;
    this.input = this.makeInput(id);
    this.problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
    setAttr(this.input, "aria-describedby", `${id}-hint ${id}-problem`);
    this.node = h("div", { class: "field" },
      h("label", { for: id }, name, required ? "" : h("span", { class: "unit" }, " optional")), this.input,
      h("p", { class: "hint", id: `${id}-hint` }, hintOf(schema, this.kind)), this.problem);
  }

  makeInput(id) {
    if (this.kind === "boolean" || this.kind === "choice") {
      const values = this.kind === "boolean" ? [true, false] : this.schema.enum;
      return h("select", { id }, this.required ? null : h("option", { value: "" }, "–"), ...values.map((value) => h("option", { value: JSON.stringify(value) }, String(value))));
    }
    const placeholder = this.schema.default === undefined ? "" : this.kind === "string" ? this.schema.default : writeExact(this.schema.default);
    if (this.kind === "json" || (this.kind === "string" && !this.schema.short))
      return h("textarea", { id, rows: this.kind === "json" ? 3 : 1, spellcheck: "false", placeholder, class: this.kind });
    return h("input", { id, type: "text", autocomplete: "off", placeholder, inputmode: { integer: "numeric", number: "decimal" }[this.kind] });
  }

  /** Return the value; undefined: leave the field out. Throws SyntaxError for invalid JSON. */
  read() {
    const text = this.input.value;
    if (text === "" && (!this.required || this.kind !== "string")) return undefined;
    switch (this.kind) {
      case "integer": return INTEGER.test(text.trim()) ? new Exact(text.trim()) : text;
      case "number": return NUMBER.test(text.trim()) ? new Exact(text.trim()) : text;
      case "boolean": case "choice": case "json": return parseExact(text);
      case "list": return text.split(/[\s,]+/).filter(Boolean).map((part) => (this.schema.of === "integer" && INTEGER.test(part) ? new Exact(part) : part));
      default: return text;
    }
  }

  /** Fill in an example. */
  fill() { this.set(exampleOf(this.schema, this.kind, this.name)); }

  /** Fill in a value. @param {any} value */
  set(value) {
    const isText = this.kind === "string" && typeof value === "string";
    this.input.value = isText ? value : this.kind === "list" ? value.join(", ") : writeExact(value, this.kind === "json" ? 2 : 0);
  }

  /** Show a problem at the field. @param {string} text empty: no problem */
  showProblem(text) {
    showOrHide(this.problem, text);
    setAttr(this.input, "aria-invalid", text ? "true" : null);
  }
}

function hintOf({ type: given, description, minimum, maximum, minLength, maxLength, hint }, kind) {
  const range = (low, high, what) => low !== undefined && high !== undefined ? `${low} to ${high}${what}`
    : low !== undefined ? `at least ${low}${what}` : high !== undefined ? `at most ${high}${what}` : "";
  const type = { json: `JSON${given ? ` ${given}` : ""}`, list: "separated by commas", choice: "", boolean: "" }[kind] ?? kind;
  return [description, hint ?? type, range(minimum, maximum, ""), range(minLength, maxLength, " long")].filter(Boolean).join(" · ");
}

function exampleOf(schema, kind, name) {
  const given = schema.examples?.[0] ?? schema.default;
  if (given !== undefined && given !== null) return given;
  const { minimum = 0, maximum = Infinity } = schema;
  switch (kind) {
    case "choice": return schema.enum[0];
    case "boolean": return true;
    case "integer": return Math.max(minimum, Math.min(maximum, maximum > 1e6 && minimum <= 1e5 && maximum !== Infinity ? 1e5 : 2));
    case "number": return Math.max(minimum, Math.min(maximum, 2.5));
    case "string": return name === "text" ? "the quick brown fox jumps" : `some ${name}`;
    default: return schema.type === "array" ? [] : {};
  }
}
