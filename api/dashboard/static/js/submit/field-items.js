// What a list and a map have in common: items to add and to remove, none of which must be there.
import { h } from "../base/dom.js";
import { FrameField } from "./field-frame.js";
import { defaultOf, hintOf } from "./schema.js";

/** @typedef {{field: any, node: any}} Item */

/** The value of an item, which cannot be left out as a field can. Throws SyntaxError. @param {any} field */
export function readItem(field) {
  const value = field.read();
  if (value !== undefined) return value;
  field.showProblem([], "is required");
  throw new SyntaxError("an item is required");
}

/** A list and a map each have `add`, which makes one more item. */
export class ItemsField extends FrameField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed @param {any} none the value without items @param {string} adds what the button says */
  constructor(spec, make, changed, none, adds) {
    super(spec, make, changed);
    const { id, required, shape } = spec;
    this.none = none;
    /** What no item means: not given, null, or a value without any. @type {any} */
    this.empty = this.emptyAtFirst = required ? (shape.nullable ? null : none) : undefined;
    /** @type {any[]} */
    this.items = [];
    this.made = 0;
    this.list = h("ol", { class: "items" });
    this.adder = h("button", { type: "button", class: "act", id: `${id}-add`, "aria-describedby": `${id}-problem`, onclick: () => this.append() }, adds);
    const hint = [hintOf(shape), defaultOf(shape.schema)].filter(Boolean).join(" · ");
    this.node = this.frame({ isOptional: !required || shape.nullable, hint }, this.list, this.adder);
  }

  get inside() { return this.items.map(({ field }) => field); }

  /** Add an item as the last one, and go to it. */
  append() {
    const { node } = this.add();
    this.changed();
    node.querySelector(".field :is(input, select, textarea), button")?.focus();
  }

  /** @param {Item} item @param {[text: string, what: string, act: () => void][]} moves before the button that removes it */
  place(item, moves = []) {
    const all = [...moves, /** @type {[string, string, () => void]} */ (["✕", "remove", () => this.remove(item)])];
    item.node.append(h("span", { class: "moves" }, ...all.map(([text, what, act]) =>
      h("button", { type: "button", class: "quiet", "aria-label": what, title: what, onclick: () => { act(); this.changed(); } }, text))));
    this.items.push(item);
    this.list.append(item.node);
    return item;
  }

  remove(item) {
    const index = this.items.indexOf(item);
    this.items.splice(index, 1);
    item.node.remove();
    const next = this.items[Math.min(index, this.items.length - 1)];
    (next?.node.querySelector(".moves button:last-child") ?? this.adder).focus();
  }

  /** Begin to fill in a value: without items. @param {any} value @param {boolean} isOne whether it is one of this kind */
  begin(value, isOne) {
    this.empty = value === null ? null : isOne ? this.none : this.emptyAtFirst;
    this.items = [];
    this.list.replaceChildren();
  }
}
