// The payload of a new job: as a form made from the schema of its type, or as JSON. A switch to the other form loses nothing.
import { byId, h, setAttr, setText, showOrHide } from "../base/dom.js";
import { parseExact, writeExact } from "../base/exact.js";
import { exampleOf } from "./schema-example.js";
import { fieldMaker } from "./schema-form.js";
import { shapeOf } from "./schema.js";

const INDENT = 2;

/** A value as JSON whose keys are in order: the same for equal values. @param {any} value @returns {string} */
const canonical = (value) => writeExact(sorted(value));
const sorted = (/** @type {any} */ value) => Array.isArray(value) ? value.map(sorted)
  : value && Object.getPrototypeOf(value) === Object.prototype ? Object.fromEntries(Object.entries(value).sort().map(([name, part]) => [name, sorted(part)])) : value;

export class Payload {
  /** @param {() => void} changed is called when the form has other fields than before */
  constructor(changed) {
    this.make = fieldMaker(changed);
    this.changed = changed;
    /** @type {any} */
    this.form = null;
    this.isJson = false;
    /** What was filled in for each schema. @type {Map<any, {form: any, text: string, isJson: boolean}>} */
    this.kept = new Map();
    this.text = byId("payload-json");
    this.problem = byId("payload-json-problem");
    byId("as-form").addEventListener("click", () => this.toForm());
    byId("as-json").addEventListener("click", () => this.toJson());
  }

  /** Take the schema of a type, with what was filled in for it before. @param {any} schema */
  setSchema(schema) {
    if (this.schema) this.kept.set(this.schema, { form: this.form, text: this.text.value, isJson: this.isJson });
    this.schema = schema;
    this.hasForm = ["object", "map"].includes(shapeOf(schema, schema.$defs ?? {}).kind) || Object.keys(schema.properties ?? {}).length > 0 || schema.additionalProperties === false;
    const { form, text, isJson } = this.kept.get(schema) ?? { form: this.hasForm ? this.newForm() : null, text: "", isJson: !this.hasForm };
    this.text.value = text;
    this.form = form;
    byId("payload-fields").replaceChildren(...(this.form ? [this.form.node] : []));
    byId("no-payload").hidden = !this.hasForm || this.form.fields?.length !== 0;
    this.show(isJson);
  }

  newForm() {
    const isMap = shapeOf(this.schema, this.schema.$defs ?? {}).kind === "map";
    const part = { ...(isMap ? {} : { properties: {} }), ...this.schema, type: "object", description: undefined };
    return this.make({ name: "payload", label: "Payload fields", part, required: true, defs: this.schema.$defs ?? {}, id: "payload" });
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
    if (!this.isJson) return this.form.read();
    if (this.text.value.trim() === "") return {};
    try { return parseExact(this.text.value); } catch (error) {
      this.showProblem([], `This is not valid JSON: ${error.message}`);
      throw error;
    }
  }

  /** Take a payload: into the form, if it can show all of it, or else as JSON. @param {any} value */
  write(value) {
    this.text.value = writeExact(value, INDENT);
    this.show(!this.fillForm(value));
  }

  /** Return whether the form holds all of `value` now. */
  fillForm(value) {
    if (!this.form || typeof value !== "object" || value === null || Array.isArray(value)) return false;
    try {
      this.form.write(value);
      return canonical(this.form.read()) === canonical(value);
    } catch { return false; }
  }

  toJson() {
    if (this.isJson) return;
    this.clearProblems();
    let value;
    try { value = this.read(); } catch { return; }
    this.text.value = writeExact(value, INDENT);
    this.show(true);
    this.text.focus();
    this.changed();
  }

  toForm() {
    if (!this.isJson) return;
    this.clearProblems();
    let value;
    try { value = this.read(); } catch { return; }
    if (!this.fillForm(value)) return this.showProblem([], "The form cannot show all of this, and would lose a part of it. So it stays JSON.");
    this.show(false);
    this.changed();
  }

  /** Fill in an example for the required fields; what else is given stays. */
  fillExample() {
    const part = this.schema.properties ? this.schema : { ...this.schema, type: "object" };
    let given = {};
    try { given = this.read(); } catch { /* it is replaced */ }
    this.write({ ...given, ...exampleOf(part, this.schema.$defs ?? {}, "payload") });
  }

  /** @param {string[]} path of a JSON pointer, within the payload @param {string} text */
  showProblem(path, text) {
    if (!this.isJson) return this.form.showProblem(path, text);
    const both = [path.join("/"), text].filter(Boolean).join(": ");
    this.problem.append(h("span", {}, both));
    this.problem.hidden = false;
    setAttr(this.text, "aria-invalid", "true");
  }

  clearProblems() {
    this.form?.clearProblems();
    showOrHide(this.problem, "");
    setAttr(this.text, "aria-invalid", false);
  }
}
