// A field of a form for an object: a group of the fields of its properties. One that may be missing is added and removed as a whole.
import { h, setText, showOrHide } from "../base/dom.js";
import { FrameField } from "./field-frame.js";
import { fieldsOf, hintOf } from "./schema.js";

export class GroupField extends FrameField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed */
  constructor(spec, make, changed) {
    super(spec, make, changed);
    const { id, required, shape } = spec;
    this.mustBe = required && !shape.nullable;
    /** What its absence means. @type {any} */
    this.absent = this.absentAtFirst = required ? null : undefined;
    /** @type {any[] | null} */
    this.fields = null;
    /** Properties that the schema does not name; they are kept as they are. @type {Record<string, any>} */
    this.rest = {};
    this.body = h("div", { class: "group-fields" });
    this.also = h("p", { class: "hint", hidden: true });
    this.toggle = this.mustBe ? null : h("button", { type: "button", class: "act", id: `${id}-toggle`, "aria-describedby": `${id}-problem`, onclick: () => this.press() });
    this.node = this.frame({ isOptional: !this.mustBe, hint: hintOf(shape), toggle: this.toggle }, this.body, this.also);
    this.setPresent(this.mustBe);
  }

  get inside() { return this.fields ?? []; }

  press() {
    this.absent = this.absentAtFirst;
    this.setPresent(!this.fields);
    this.changed();
  }

  setPresent(isPresent) {
    if (this.toggle) {
      setText(this.toggle, isPresent ? "remove" : "add");
      this.toggle.setAttribute("aria-label", `${isPresent ? "remove" : "add"} ${this.spec.label ?? this.name}`);
    }
    if (isPresent === !!this.fields) return;
    this.fields = isPresent ? (fieldsOf(this.spec.shape.schema, this.spec.defs) ?? []).map(({ name, schema, required }) => this.makeInner({ name, part: schema, required })) : null;
    this.rest = {};
    this.body.replaceChildren(...this.inside.map(({ node }) => node));
    this.showRest();
  }

  showRest() {
    const names = Object.keys(this.rest);
    showOrHide(this.also, names.length ? `Also there, and kept: ${names.join(", ")}.` : "");
  }

  read() {
    if (!this.fields) return this.absent;
    const values = this.fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined);
    return { ...Object.fromEntries(values), ...this.rest };
  }

  write(value) {
    const isThere = value !== undefined && value !== null;
    this.absent = value === null ? null : this.absentAtFirst;
    this.setPresent(isThere || this.mustBe);
    if (!this.fields) return;
    const values = isThere ? value : {};
    for (const field of this.fields) field.write(Object.hasOwn(values, field.name) ? values[field.name] : undefined);
    const known = new Set(this.fields.map(({ name }) => name));
    this.rest = Object.fromEntries(Object.entries(values).filter(([name]) => !known.has(name)));
    this.showRest();
  }

  fieldAt(step) { return this.fields?.find(({ name }) => name === step); }
}
