// The payload of a new job: as a form with a field for each property of its schema, or as JSON.
import { byId, h, setAttr, setText, showOrHide } from "../base/dom.js";
import { parseExact, writeExact } from "../base/exact.js";
import { Field } from "./field.js";
import { exampleOf, fieldsOf, shapeOf } from "./schema.js";

const INDENT = 2;
/** Stands for a value that nobody sees but the job (shared/domain/hidden.py). */
const MASK = "••••••••";

/** Return a payload without its masks, and whether it had any: the field is left empty. @param {any} value @returns {{value: any, hadMasks: boolean}} */
export function withoutMasks(value) {
  let hadMasks = false;
  const shown = (/** @type {any} */ part) => {
    if (part === MASK) {
      hadMasks = true;
      return undefined;
    }
    if (Array.isArray(part)) return part.map((item) => shown(item) ?? "");
    if (typeof part !== "object" || part === null || Object.getPrototypeOf(part) !== Object.prototype) return part;
    return Object.fromEntries(Object.entries(part).map(([name, item]) => [name, shown(item)]).filter(([, item]) => item !== undefined));
  };
  return { value: shown(value), hadMasks };
}

export class Payload {
  /** @param {() => void} changed is called when the form has other fields than before */
  constructor(changed) {
    this.changed = changed;
    /** @type {Field[]} */
    this.fields = [];
    this.isJson = false;
    this.text = byId("payload-json");
    this.problem = byId("payload-json-problem");
    byId("as-form").addEventListener("click", () => this.isJson && this.change(() => this.toForm()));
    byId("as-json").addEventListener("click", () => this.isJson || this.change(() => this.toJson()));
  }

  /** @param {any} schema of a type */
  setSchema(schema) {
    this.schema = schema;
    const fields = fieldsOf(schema) ?? (schema.additionalProperties === false ? [] : null);
    this.hasForm = fields !== null;
    this.fields = (fields ?? []).map(({ name, schema: part, required, defs }) => new Field({ name, id: `payload-${name}`, required, defs, shape: shapeOf(part, defs) }));
    this.text.value = "";
    byId("payload-fields").replaceChildren(...this.fields.map(({ node }) => node));
    byId("no-payload").hidden = !this.hasForm || this.fields.length > 0;
    this.show(!this.hasForm);
  }

  show(isJson) {
    this.isJson = isJson;
    byId("payload-fields").hidden = isJson;
    byId("payload-text").hidden = !isJson;
    byId("as-form").disabled = !this.hasForm;
    setText(byId("key"), isJson ? "or Ctrl+Enter" : "or Enter");
    setAttr(byId("as-form"), "aria-pressed", String(!isJson));
    setAttr(byId("as-json"), "aria-pressed", String(isJson));
    this.clearProblems();
  }

  /** Return the payload. Throws SyntaxError for invalid JSON, which is shown. */
  read() {
    if (!this.isJson) return Object.fromEntries(this.fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined));
    if (this.text.value.trim() === "") return {};
    try { return parseExact(this.text.value); } catch (error) {
      this.showProblem([], `This is not valid JSON: ${error.message}`);
      throw error;
    }
  }

  /** Take a payload: into the form if it has a field for each part, or else as JSON. @param {any} value */
  write(value) {
    this.text.value = writeExact(value, INDENT);
    this.show(!this.fillForm(value));
  }

  /** Return whether the form shows all of `value` now. */
  fillForm(value) {
    if (!this.hasForm || typeof value !== "object" || value === null || Array.isArray(value)) return false;
    if (Object.keys(value).some((name) => !this.fields.some((field) => field.name === name))) return false;
    return this.fields.every((field) => {
      const part = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
      field.write(part);
      return writeExact(field.read()) === writeExact(part);
    });
  }

  /** @param {() => boolean} turn to the other way; returns whether it could be made */
  change(turn) {
    this.clearProblems();
    try { if (turn()) this.changed(); } catch { /* what cannot be read is shown */ }
  }

  toJson() {
    this.text.value = writeExact(this.read(), INDENT);
    this.show(true);
    this.text.focus();
    return true;
  }

  toForm() {
    const fits = this.fillForm(this.read());
    if (fits) this.show(false);
    else this.showProblem([], "The form has no field for part of this, so it stays JSON.");
    return fits;
  }

  /** Fill in an example for the required fields; what else is given stays. */
  fillExample() {
    const part = this.schema.properties ? this.schema : { ...this.schema, type: "object" };
    let given = {};
    try { given = this.read(); } catch { /* it is replaced */ }
    this.write({ ...given, ...exampleOf(part, this.schema.$defs ?? {}, "payload") });
  }

  /** @param {string[]} path of a JSON pointer, within the payload @param {string} text */
  showProblem([name, ...path], text) {
    const field = this.isJson ? undefined : this.fields.find((one) => one.name === name);
    if (field) return field.showProblem(path, text);
    const both = [[name, ...path].filter(Boolean).join("/"), text].filter(Boolean).join(": ");
    this.problem.append(h("span", {}, both));
    this.problem.hidden = false;
    setAttr(this.text, "aria-invalid", "true");
  }

  clearProblems() {
    this.fields.forEach((field) => field.clearProblems());
    showOrHide(this.problem, "");
    setAttr(this.text, "aria-invalid", false);
  }
}
