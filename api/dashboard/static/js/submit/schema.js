// Reads a JSON Schema for a form: the shape of a value, a field in words, and an example. Pure.
import { writeExact } from "../base/exact.js";

const LONGEST_WAY = 30; // references that lead in a circle end here
const DEEPEST = 8; // of examples for schemas that refer to themselves
const DEEPEST_LABEL = 2;

/**
 * The shape of a value: `kind`, the schema without its references, and whether it may be null.
 * @typedef {{kind: string, schema: any, nullable: boolean}} Shape
 * @typedef {{name: string, schema: any, required: boolean, defs: any}} FieldSpec
 */

/** Return the fields of an object schema; null if it names none. @param {any} schema @param {any} [defs] @returns {FieldSpec[] | null} */
export function fieldsOf(schema, defs = schema?.$defs ?? {}) {
  if (!schema?.properties) return null;
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, part]) => ({ name, schema: part, required: required.has(name), defs }));
}

/** Follow references. Keys beside a reference win. @param {any} part @param {any} defs */
function follow(part, defs) {
  let schema = part === true || part === undefined ? {} : part;
  for (let way = 0; schema.$ref && way < LONGEST_WAY; way++) {
    const { $ref, ...beside } = schema;
    const name = decodeURIComponent($ref.split("/").pop()).replaceAll("~1", "/").replaceAll("~0", "~");
    schema = { ...defs[name], ...beside };
  }
  if (schema.allOf?.length === 1) {
    const { allOf: [only], ...beside } = schema;
    return { ...follow(only, defs), ...beside };
  }
  return schema;
}

/** Return the shape of the values that `part` of a schema allows. "This or null" has the shape of this; all that one control cannot show is JSON. @param {any} part @param {any} defs @returns {Shape} */
export function shapeOf(part, defs) {
  const schema = follow(part, defs);
  const { anyOf, oneOf, ...around } = schema;
  const ways = anyOf ?? oneOf ?? (Array.isArray(schema.type) ? schema.type.map((/** @type {string} */ type) => ({ ...around, type })) : null);
  if (ways) {
    const parts = ways.map((/** @type {any} */ way) => follow(way, defs)), others = parts.filter((/** @type {any} */ one) => one.type !== "null");
    const { type: _, ...rest } = around;
    const text = others.find((/** @type {any} */ one) => one.type === "string" && !one.enum); // "text or number" is typed as text
    if (others.length === 1 || text) return { ...shapeOf({ ...(text ?? others[0]), ...rest }, defs), nullable: others.length < parts.length };
    return { kind: "json", schema: { ...rest, ways: others }, nullable: others.length < parts.length };
  }
  if ("const" in schema) return { kind: "choice", schema: { ...schema, enum: [schema.const] }, nullable: false };
  if (schema.enum) return { kind: "choice", schema: { ...schema, enum: schema.enum.filter((/** @type {any} */ one) => one !== null) }, nullable: schema.enum.includes(null) };
  return { kind: kindOf(schema), schema, nullable: schema.type === "null" };
}

function kindOf({ type, format }) {
  if (type === "string") return { date: "date", "date-time": "moment" }[format] ?? "string";
  return ["integer", "number", "boolean"].includes(type) ? type : "json";
}

const WORDS = { number: "number", string: "text", boolean: "true or false", moment: "date and time" };

/** What a value that is written as JSON must be: "list of text". */
function labelOf(part, defs, depth = 0) {
  const { kind, schema } = shapeOf(part, defs);
  if (schema.title && depth) return schema.title;
  if (kind !== "json") return kind === "choice" ? choicesOf(schema) : WORDS[kind] ?? kind;
  if (depth > DEEPEST_LABEL) return "JSON";
  if (schema.ways) return schema.ways.map((/** @type {any} */ way) => labelOf(way, defs, depth + 1)).join(" or ");
  if (schema.type === "array") return schema.items ? `list of ${labelOf(schema.items, defs, depth + 1)}` : "list";
  if (schema.properties) return `{ ${Object.keys(schema.properties).join(", ")} }`;
  return typeof schema.additionalProperties === "object" ? `map of ${labelOf(schema.additionalProperties, defs, depth + 1)}` : "any value";
}

const choicesOf = (schema) => schema.enum.map((/** @type {any} */ one) => writeExact(one)).join(", ");

/** A field in words: "the width · integer · at least 1 · default 640". @param {FieldSpec} field */
export function describeField({ schema: part, defs }) {
  const shape = shapeOf(part, defs);
  const values = shape.kind === "choice" ? `one of ${choicesOf(shape.schema)}` : shape.kind === "boolean" ? "true or false" : "";
  return [hintOf(shape, defs), values, defaultOf(shape.schema)].filter(Boolean).join(" · ") || "any value";
}

/** @param {any} schema */
export const defaultOf = ({ default: preset }) => (preset === undefined || preset === null ? "" : `default: ${typeof preset === "string" && preset ? preset : writeExact(preset)}`);

/** What a value must be, in words; its default stands apart. @param {Shape} shape @param {any} [defs] */
export function hintOf({ kind, schema }, defs = {}) {
  const { description, hint, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems } = schema;
  const named = kind === "json" ? `JSON: ${labelOf(schema, defs)}` : ["choice", "boolean"].includes(kind) ? "" : WORDS[kind] ?? kind;
  return [
    description, hint ?? named, range(minimum, maximum, ""), range(minLength, maxLength, " character"), range(minItems, maxItems, " item"),
    exclusiveMinimum !== undefined && `more than ${exclusiveMinimum}`, exclusiveMaximum !== undefined && `less than ${exclusiveMaximum}`,
  ].filter(Boolean).join(" · ");
}

function range(low, high, one) {
  const what = one && (high ?? low) !== 1 ? `${one}s` : one;
  if (low !== undefined && high !== undefined) return low === high ? `exactly ${low}${what}` : `${low} to ${high}${what}`;
  return low !== undefined ? `at least ${low}${what}` : high !== undefined ? `at most ${high}${what}` : "";
}

/** An example of a value that a schema allows. @param {any} part @param {any} defs @param {string} name of the field @param {number} [depth] @returns {any} */
export function exampleOf(part, defs, name, depth = 0) {
  const { kind, schema } = shapeOf(part, defs);
  const given = schema.examples?.[0] ?? schema.default;
  if (given !== undefined && given !== null) return given;
  const inner = (of, key) => exampleOf(of, defs, key, depth + 1);
  switch (depth > DEEPEST ? "" : kind) {
    case "choice": return schema.enum[0];
    case "boolean": return true;
    case "integer": return number(schema, 2, 1);
    case "number": return number(schema, 2.5, 0.5);
    case "date": return "2026-01-31";
    case "moment": return "2026-01-31T12:00:00Z";
    case "string": return name === "text" ? "the quick brown fox jumps" : `some ${name}`.slice(0, schema.maxLength);
    case "json":
      if (schema.ways) return inner(schema.ways[0], name);
      if (schema.type === "array") return Array.from({ length: Math.max(schema.minItems ?? 0, schema.prefixItems?.length ?? 1) }, (_, i) => inner(schema.prefixItems?.[i] ?? schema.items, name));
      if (schema.properties) return Object.fromEntries((schema.required ?? []).map((/** @type {string} */ key) => [key, inner(schema.properties[key], key)]));
      return typeof schema.additionalProperties === "object" ? { key: inner(schema.additionalProperties, "value") } : {};
    default: return null;
  }
}

/** A number within bounds: a large one where much larger ones are allowed, so that one sees it work. */
function number({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }, usual, step) {
  const low = Math.max(minimum ?? -Infinity, exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + step);
  const high = Math.min(maximum ?? Infinity, exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - step);
  const wanted = high > 1e6 && high !== Infinity && low <= 1e5 ? 1e5 : usual;
  return Math.max(low, Math.min(high, wanted));
}
