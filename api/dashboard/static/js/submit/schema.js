// Reads a JSON Schema for a form: the shape of a value, and a field in words. Pure.
import { Exact, writeExact } from "../base/exact.js";

const LONGEST_WAY = 30; // references that lead in a circle end here

/**
 * The shape of a value: `kind`, the schema without its references, whether it may be null, and the choices of a union.
 * @typedef {{kind: string, schema: any, nullable: boolean, choices?: {label: string, part: any}[]}} Shape
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

/** Return the shape of the values that `part` of a schema allows. @param {any} part @param {any} defs @returns {Shape} */
export function shapeOf(part, defs) {
  const schema = follow(part, defs);
  const { anyOf, oneOf, discriminator: _, ...around } = schema;
  const ways = anyOf ?? oneOf ?? (Array.isArray(schema.type) ? schema.type.map((/** @type {string} */ type) => ({ ...around, type, default: undefined })) : null);
  if (ways) return shapeOfUnion(ways, around, defs);
  if ("const" in schema) return { kind: "choice", schema: { ...schema, enum: [schema.const] }, nullable: false };
  if (schema.enum) return { kind: "choice", schema: { ...schema, enum: schema.enum.filter((/** @type {any} */ one) => one !== null) }, nullable: schema.enum.includes(null) };
  return { kind: kindOf(schema), schema, nullable: schema.type === "null" };
}

/** "This or null" has the shape of this, and may be left empty; other unions are a choice. */
function shapeOfUnion(ways, { type: _, ...around }, defs) {
  const parts = ways.map((/** @type {any} */ way) => follow(way, defs));
  const others = parts.filter((/** @type {any} */ one) => one.type !== "null");
  const nullable = others.length < parts.length;
  if (others.length === 1) return { ...shapeOf({ ...others[0], ...around }, defs), nullable: true };
  return { kind: "union", schema: around, nullable, choices: others.map((/** @type {any} */ one) => ({ get label() { return labelOf(one, defs); }, part: one })) }; // labels are made when read, as a choice may hold the union itself
}

function kindOf(schema) {
  switch (schema.type) {
    case "object": return schema.properties ? "object" : isMap(schema) ? "map" : "json";
    case "array": return schema.items || schema.prefixItems ? "array" : "json";
    case "string": return { date: "date", "date-time": "moment" }[schema.format] ?? "string";
    case "integer": case "number": case "boolean": return schema.type;
    default: return schema.properties ? "object" : "json";
  }
}

/** Whether all values of an object have the same shape, whatever their keys are. If they may have any shape, JSON is easier to write. */
const isMap = ({ additionalProperties: values, patternProperties }) => !patternProperties && typeof values === "object" && values !== null && Object.keys(values).length > 0;

const WORDS = { number: "number", string: "text", boolean: "true or false", moment: "date and time", array: "list", union: "one of several kinds", json: "JSON" };

const DEEPEST_LABEL = 2; // a map may hold maps like itself, without end

function labelOf(part, defs, depth = 0) {
  const { kind, schema } = shapeOf(part, defs);
  if (schema.title) return schema.title;
  if (depth > DEEPEST_LABEL) return WORDS[kind] ?? kind;
  if (kind === "choice") return schema.enum.map((/** @type {any} */ one) => writeExact(one)).join(", ");
  if (kind === "map") return `map of ${labelOf(schema.additionalProperties, defs, depth + 1)}`;
  if (kind === "array" && schema.items) return `list of ${labelOf(schema.items, defs, depth + 1)}`;
  return WORDS[kind] ?? kind;
}

/** Whether a value looks like one of this part: of several choices, which is meant. @param {any} part @param {any} value @param {any} defs */
export function fits(part, value, defs) {
  const { kind, schema, nullable, choices } = shapeOf(part, defs);
  if (value === null) return nullable;
  const isNumber = typeof value === "number" || value instanceof Exact;
  switch (kind) {
    case "union": return choices.some((/** @type {any} */ one) => fits(one.part, value, defs));
    case "choice": return schema.enum.some((/** @type {any} */ one) => writeExact(one) === writeExact(value));
    case "integer": return isNumber && /^-?\d+$/.test(String(value));
    case "number": return isNumber;
    case "boolean": return typeof value === "boolean";
    case "array": return Array.isArray(value);
    case "map": return isObject(value) && Object.values(value).every((one) => fits(schema.additionalProperties, one, defs));
    case "object": return isObject(value) && (schema.required ?? []).every((/** @type {string} */ name) => name in value)
      && Object.entries(schema.properties ?? {}).every(([name, inner]) => !(name in value) || follow(inner, defs).const === undefined || fits(inner, value[name], defs));
    case "json": return !schema.type || (schema.type === "object" ? isObject(value) : schema.type === "array" ? Array.isArray(value) : false);
    default: return typeof value === "string";
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Exact);

/** A field in words: "the width · whole number · at least 1 · default 640". @param {FieldSpec} field */
export function describeField({ schema: part, defs }) {
  const shape = shapeOf(part, defs);
  const { kind, schema, choices } = shape;
  const values = kind === "choice" ? `one of ${schema.enum.map((/** @type {any} */ value) => writeExact(value)).join(", ")}`
    : kind === "map" ? labelOf(schema, defs) : kind === "union" ? (choices ?? []).map(({ label }) => label).join(" or ") : kind === "boolean" ? "true or false" : "";
  return [hintOf(shape), values, defaultOf(schema)].filter(Boolean).join(" · ") || "any value";
}

/** @param {any} schema */
export const defaultOf = ({ default: preset }) => (preset === undefined || preset === null ? "" : `default ${writeExact(preset)}`);

/** What a value must be, in words; its default stands apart. @param {Shape} shape */
export function hintOf({ kind, schema }) {
  const { description, hint, type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems, minProperties, maxProperties } = schema;
  const named = { choice: "", boolean: "", union: "", object: "", array: "", map: "", json: `JSON${type ? ` ${type}` : ""}` }[kind] ?? WORDS[kind] ?? kind;
  return [
    description, hint ?? named, range(minimum, maximum, ""), range(minLength, maxLength, " character"), range(minItems, maxItems, " item"), kind === "map" && range(minProperties, maxProperties, " key"),
    exclusiveMinimum !== undefined && `more than ${exclusiveMinimum}`, exclusiveMaximum !== undefined && `less than ${exclusiveMaximum}`,
  ].filter(Boolean).join(" · ");
}

function range(low, high, one) {
  const what = one && (high ?? low) !== 1 ? `${one}s` : one;
  if (low !== undefined && high !== undefined) return low === high ? `exactly ${low}${what}` : `${low} to ${high}${what}`;
  return low !== undefined ? `at least ${low}${what}` : high !== undefined ? `at most ${high}${what}` : "";
}
