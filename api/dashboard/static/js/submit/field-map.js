// A field of a form for a map: an object whose keys the schema does not name. Each entry has a key and a value.
import { h, setAttr, showOrHide } from "../base/dom.js";
import { ItemsField, readItem } from "./field-items.js";

export class MapField extends ItemsField {
  /** @param {any} spec @param {(spec: any) => any} make @param {() => void} changed */
  constructor(spec, make, changed) { super(spec, make, changed, {}, "add an entry"); }

  add() {
    const number = String(this.made++), id = `${this.spec.id}-${number}`;
    const field = this.makeInner({ name: number, label: "value", part: this.spec.shape.schema.additionalProperties, required: true });
    const key = h("input", { id: `${id}-key`, type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-key-problem` });
    const problem = h("p", { class: "problem", id: `${id}-key-problem`, hidden: true });
    // A key may be "", but only if that was written: a key that nobody has typed is none.
    const item = { field, key, problem, isEmptyKey: false, node: h("li", {}, h("div", { class: "entry" }, h("div", { class: "field" }, h("label", { for: key.id }, "key"), key, problem), field.node)) };
    key.addEventListener("input", () => { item.isEmptyKey = false; });
    return this.place(item);
  }

  /** Return the value. Throws SyntaxError if an entry has no key, or the key of another one. */
  read() {
    /** @type {Map<string, any>} */
    const found = new Map();
    for (const item of this.items) {
      const key = item.key.value, value = item.field.read();
      if (key === "" && !item.isEmptyKey) {
        if (isNothing(value)) continue; // an entry that nobody has filled in yet
        this.refuse(item, "a value needs a key");
      }
      if (found.has(key)) this.refuse(item, `another entry has the key ${key || '""'}`);
      found.set(key, readItem(item.field));
    }
    return found.size ? Object.fromEntries(found) : this.empty;
  }

  refuse({ key, problem }, text) {
    showOrHide(problem, text);
    setAttr(key, "aria-invalid", "true");
    throw new SyntaxError(text);
  }

  write(value) {
    const isOne = typeof value === "object" && value !== null && !Array.isArray(value);
    this.begin(value, isOne);
    if (!isOne) return;
    for (const [key, one] of Object.entries(value)) {
      const item = this.add();
      item.key.value = key;
      item.isEmptyKey = key === "";
      item.field.write(one);
    }
  }

  fieldAt(step) { return this.items.find(({ key }) => key.value === step)?.field; }

  clearProblems() {
    super.clearProblems();
    for (const { key, problem } of this.items) {
      showOrHide(problem, "");
      setAttr(key, "aria-invalid", false);
    }
  }
}

/** Whether a value is that of a field that nobody has filled in. @param {any} value */
const isNothing = (value) => value === undefined || value === null || value === "" || (typeof value === "object" && Object.values(value).every(isNothing));
