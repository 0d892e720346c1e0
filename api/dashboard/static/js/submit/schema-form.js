// The field of a form for a part of a JSON Schema. Every field reads and writes a value, and shows the problems of what is in it.
import { GroupField } from "./field-group.js";
import { LeafField } from "./field-leaf.js";
import { ListField } from "./field-list.js";
import { MapField } from "./field-map.js";
import { UnionField } from "./field-union.js";
import { shapeOf } from "./schema.js";

const DEEPEST = 12; // for required parts that refer to themselves; further inside, the field is JSON

/**
 * Return a function that makes fields. `changed` is called when one is added, removed or moved.
 * @param {() => void} changed
 */
export function fieldMaker(changed) {
  /** @param {{name: string, label?: string, part: any, required: boolean, defs: any, id: string, depth?: number}} wanted */
  return function make({ depth = 0, ...wanted }) {
    const shape = shapeOf(wanted.part, wanted.defs);
    const spec = { ...wanted, depth, shape: depth > DEEPEST ? { ...shape, kind: "json" } : shape };
    switch (spec.shape.kind) {
      case "object": return new GroupField(spec, make, changed);
      case "array": return new ListField(spec, make, changed);
      case "map": return new MapField(spec, make, changed);
      case "union": return new UnionField(spec, make, changed);
      default: return new LeafField(spec);
    }
  };
}
