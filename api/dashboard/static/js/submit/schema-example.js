// An example of a value that a JSON Schema allows. Pure.
import { shapeOf } from "./schema.js";

const DEEPEST = 8; // of schemas that refer to themselves

/** @param {any} part @param {any} defs @param {string} name of the field @param {number} [depth] @returns {any} */
export function exampleOf(part, defs, name, depth = 0) {
  const { kind, schema, nullable, choices } = shapeOf(part, defs);
  const given = schema.examples?.[0] ?? schema.default;
  if (given !== undefined && given !== null) return given;
  if (depth > DEEPEST) return null;
  switch (kind) {
    case "choice": return schema.enum[0];
    case "boolean": return true;
    case "integer": return number(schema, 2, 1);
    case "number": return number(schema, 2.5, 0.5);
    case "date": return "2026-01-31";
    case "moment": return "2026-01-31T12:00:00Z";
    case "string": return name === "text" ? "the quick brown fox jumps" : `some ${name}`.slice(0, schema.maxLength);
    case "union": return exampleOf(choices?.[0].part, defs, name, depth + 1);
    case "array": return Array.from({ length: Math.max(schema.minItems ?? 0, schema.prefixItems?.length ?? 1) },
      (_, index) => exampleOf(schema.prefixItems?.[index] ?? schema.items, defs, name, depth + 1));
    case "map": return { key: exampleOf(schema.additionalProperties, defs, "value", depth + 1) };
    case "object": return Object.fromEntries((schema.required ?? []).map((/** @type {string} */ inner) => [inner, exampleOf(schema.properties[inner], defs, inner, depth + 1)]));
    default: return nullable ? null : schema.type === "array" ? [] : {};
  }
}

/** A number within bounds: a large one where much larger ones are allowed, so that one sees it work. */
function number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }, usual, step) {
  const low = Math.max(minimum ?? -Infinity, exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + step);
  const high = Math.min(maximum ?? Infinity, exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - step);
  const wanted = high > 1e6 && high !== Infinity && low <= 1e5 ? 1e5 : usual;
  return Math.max(low, Math.min(high, wanted));
}
