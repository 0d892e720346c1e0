// What fields that hold other fields have in common: a frame with a legend, a hint, and a line for
// problems of parts that have no field inside.
import { h, showOrHide } from "../base/dom.js";

/** Each kind of them has `inside`, the fields inside, and `fieldAt`, which returns the one at a step of a path. */
export class FrameField {
  /** @param {any} spec @param {(spec: any) => any} make makes the fields inside @param {() => void} changed */
  constructor(spec, make, changed) {
    this.name = spec.name;
    this.spec = spec;
    this.make = make;
    this.changed = changed;
    this.problem = h("p", { class: "problem", id: `${spec.id}-problem`, hidden: true });
  }

  /** @param {{isOptional: boolean, hint: string, toggle?: any}} head @param {...any} content */
  frame({ isOptional, hint, toggle = null }, ...content) {
    const { id, name, label = name } = this.spec;
    return h("fieldset", { class: "group", id },
      h("legend", {}, label, isOptional && h("span", { class: "unit" }, " optional"), toggle && " ", toggle),
      h("p", { class: "hint" }, hint), this.problem, ...content);
  }

  /** Make a field inside. @param {{name: string, label?: string, part: any, required: boolean, defs?: any}} inner @param {string} [id] the end of its id */
  makeInner(inner, id = inner.name) {
    return this.make({ defs: this.spec.defs, ...inner, id: `${this.spec.id}-${id}`, depth: this.spec.depth + 1 });
  }

  /** Show a problem of this value, or of what is at `path` inside it. @param {string[]} path @param {string} text */
  showProblem([first, ...path], text) {
    const field = first === undefined ? undefined : this.fieldAt(first);
    if (field) return field.showProblem(path, text);
    const both = [[first, ...path].filter((one) => one !== undefined).join("/"), text].filter(Boolean).join(": ");
    showOrHide(this.problem, this.problem.hidden ? both : `${this.problem.textContent} · ${both}`);
  }

  clearProblems() {
    showOrHide(this.problem, "");
    this.inside.forEach((field) => field.clearProblems());
  }
}
