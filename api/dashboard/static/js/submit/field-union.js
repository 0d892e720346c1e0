// A field of a form for a value of several kinds: which one, and the field of that one.
import { h } from "../base/dom.js";
import { readItem } from "./field-items.js";
import { fits, hintOf, defaultOf } from "./schema.js";

const NONE = "none", NULL = "null";

export class UnionField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed */
  constructor(spec, make, changed) {
    const { name, label = name, id, required, shape } = spec;
    this.name = name;
    this.spec = spec;
    this.make = make;
    /** @type {any} */
    this.inner = null;
    this.select = h("select", { id: `${id}-kind`, "aria-describedby": `${id}-kind-hint`, onchange: () => { this.choose(this.select.value); changed(); } },
      required ? null : h("option", { value: NONE }, "not given"),
      shape.nullable && h("option", { value: NULL }, "null"),
      ...shape.choices.map(({ label: of }, /** @type {number} */ index) => h("option", { value: index }, of)));
    this.box = h("div", { class: "union-field" });
    this.node = h("div", { class: "union", id },
      h("div", { class: "field" }, h("label", { for: `${id}-kind` }, label, required ? "" : h("span", { class: "unit" }, " optional")), this.select,
        h("p", { class: "hint", id: `${id}-kind-hint` }, [hintOf(shape), defaultOf(shape.schema)].filter(Boolean).join(" · ") || "one of several kinds")),
      this.box);
    this.choose(this.select.value);
  }

  choose(value) {
    this.select.value = value;
    const { shape, defs, id, depth } = this.spec;
    const choice = shape.choices[value];
    this.inner = choice ? this.make({ name: this.name, label: choice.label, part: choice.part, required: true, defs, id: `${id}-${value}`, depth: depth + 1 }) : null;
    this.box.replaceChildren(...(this.inner ? [this.inner.node] : []));
  }

  /** Return the value. Throws SyntaxError if somebody has chosen a kind and given no value. */
  read() {
    if (this.inner) return this.spec.required ? this.inner.read() : readItem(this.inner);
    return this.select.value === NULL ? null : undefined;
  }

  write(value) {
    const { shape, defs, required } = this.spec;
    if (value === null && shape.nullable) return this.choose(NULL);
    if (value === undefined) return this.choose(required ? "0" : NONE);
    const index = shape.choices.findIndex((/** @type {any} */ choice) => fits(choice.part, value, defs));
    this.choose(String(Math.max(0, index)));
    this.inner.write(value);
  }

  showProblem(path, text) {
    if (this.inner) return this.inner.showProblem(path, text);
    this.select.setAttribute("aria-invalid", "true");
    this.select.parentElement.append(h("p", { class: "problem" }, text));
  }

  clearProblems() {
    this.select.removeAttribute("aria-invalid");
    this.select.parentElement.querySelector(".problem")?.remove();
    this.inner?.clearProblems();
  }
}
