// A field of a form for an array: its items in order, to add, remove and move.
import { h, showOrHide } from "./dom.js";
import { hintOf, defaultOf } from "./schema.js";

export class ListField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed */
  constructor(spec, make, changed) {
    const { name, label = name, id, required, shape } = spec;
    this.name = name;
    this.spec = spec;
    this.make = make;
    this.changed = changed;
    /** What no item means: not given, null, or an empty list. @type {any} */
    this.empty = this.emptyAtFirst = required ? (shape.nullable ? null : []) : undefined;
    /** @type {{field: any, node: any}[]} */
    this.items = [];
    this.made = 0;
    this.list = h("ol", { class: "items" });
    this.problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
    this.adder = h("button", { type: "button", class: "act", id: `${id}-add`, "aria-describedby": `${id}-problem`, onclick: () => this.append() }, "add an item");
    const hint = [hintOf(shape), defaultOf(shape.schema)].filter(Boolean).join(" · ");
    this.node = h("fieldset", { class: "group", id },
      h("legend", {}, label, required && !shape.nullable ? "" : h("span", { class: "unit" }, " optional")),
      h("p", { class: "hint" }, hint), this.problem, this.list, this.adder);
    const fixed = required ? shape.schema.prefixItems?.length ?? 0 : 0;
    for (let place = 0; place < fixed; place++) this.add();
  }

  /** Add an item as the last one, and go to it. */
  append() {
    const { node } = this.add();
    this.changed();
    node.querySelector(".field :is(input, select, textarea), button")?.focus();
  }

  add() {
    const { prefixItems, items } = this.spec.shape.schema;
    const number = this.made++;
    const field = this.make({
      name: String(number), label: "item", part: prefixItems?.[this.items.length] ?? items ?? {}, required: true,
      defs: this.spec.defs, id: `${this.spec.id}-${number}`, depth: this.spec.depth + 1,
    });
    const button = (/** @type {string} */ text, /** @type {string} */ what, /** @type {() => void} */ act) =>
      h("button", { type: "button", class: "quiet", "aria-label": what, title: what, onclick: () => { act(); this.changed(); } }, text);
    const item = { field, node: h("li", {}, field.node) };
    item.node.append(h("span", { class: "moves" },
      button("↑", "move up", () => this.move(item, -1)), button("↓", "move down", () => this.move(item, 1)), button("✕", "remove", () => this.remove(item))));
    this.items.push(item);
    this.list.append(item.node);
    return item;
  }

  move(item, by) {
    const from = this.items.indexOf(item), to = from + by;
    if (to < 0 || to >= this.items.length) return;
    const focused = document.activeElement;
    this.items.splice(to, 0, ...this.items.splice(from, 1));
    this.list.append(...this.items.map(({ node }) => node));
    /** @type {any} */ (focused)?.focus(); // moving a node takes the focus from it
  }

  remove(item) {
    const place = this.items.indexOf(item);
    this.items.splice(place, 1);
    item.node.remove();
    const next = this.items[Math.min(place, this.items.length - 1)];
    (next?.node.querySelector(".moves button:last-child") ?? this.adder).focus();
  }

  read() {
    return this.items.length ? this.items.map(({ field }) => field.read() ?? null) : this.empty;
  }

  write(value) {
    this.empty = value === null || Array.isArray(value) ? (value === null ? null : []) : this.emptyAtFirst;
    this.items = [];
    this.list.replaceChildren();
    if (!Array.isArray(value)) return;
    for (const one of value) this.add().field.write(one);
  }

  showProblem([first, ...path], text) {
    const item = first === undefined ? undefined : this.items[+first];
    if (item) return item.field.showProblem(path, text);
    const both = [[first, ...path].filter((one) => one !== undefined).join("/"), text].filter(Boolean).join(": ");
    showOrHide(this.problem, this.problem.hidden ? both : `${this.problem.textContent} · ${both}`);
  }

  clearProblems() {
    showOrHide(this.problem, "");
    this.items.forEach(({ field }) => field.clearProblems());
  }
}
