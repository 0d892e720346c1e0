// JSON in which numbers keep every digit: 2^64 and 1.0 are shown and sent as they were written.

/** A number that JavaScript would write differently. */
export class Exact {
  /** @param {string} text */
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

/** @param {string} text @returns {any} */
export const parseExact = (text) => JSON.parse(text, (_, value, context) =>
  typeof value === "number" && context && context.source !== String(value) ? new Exact(context.source) : value);

/** @param {any} value @param {number} [indent] */
export const writeExact = (value, indent) => JSON.stringify(value, (_, part) =>
  part instanceof Exact ? JSON.rawJSON(part.text) : part, indent);
