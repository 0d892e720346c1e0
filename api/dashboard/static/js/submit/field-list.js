// A field of a form for an array: its items in order, to add, remove and move.
import { h } from "../base/dom.js";
import { ItemsField, readItem } from "./field-items.js";

export class ListField extends ItemsField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed */
  constructor(spec, make, changed) {
    super(spec, make, changed, [], "add an item");
    const fixed = spec.required ? spec.shape.schema.prefixItems?.length ?? 0 : 0;
    for (let index = 0; index < fixed; index++) this.add();
  }

  add() {
    const { prefixItems, items } = this.spec.shape.schema;
    const field = this.makeInner({ name: String(this.made++), label: "item", part: prefixItems?.[this.items.length] ?? items ?? {}, required: true });
    const item = { field, node: h("li", {}, field.node) };
    return this.place(item, [["↑", "move up", () => this.move(item, -1)], ["↓", "move down", () => this.move(item, 1)]]);
  }

  move(item, by) {
    const from = this.items.indexOf(item), to = from + by;
    if (to < 0 || to >= this.items.length) return;
    const focused = document.activeElement;
    this.items.splice(to, 0, ...this.items.splice(from, 1));
    this.list.append(...this.items.map(({ node }) => node));
    /** @type {any} */ (focused)?.focus(); // moving a node takes the focus from it
  }

  read() {
    return this.items.length ? this.items.map(({ field }) => readItem(field)) : this.empty;
  }

  write(value) {
    this.begin(value, Array.isArray(value));
    if (Array.isArray(value)) for (const one of value) this.add().field.write(one);
  }

  fieldAt(step) { return this.items[+step]?.field; }
}
