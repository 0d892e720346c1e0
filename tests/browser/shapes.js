// What the modules that read a JSON Schema make of each of its forms. tests/browser/test_submit.py says what is right.
async () => {
    const base = document.documentElement.dataset.static;
    const { shapeOf, describeField, fits } = await import(`${base}/js/schema.js`);
    const { exampleOf } = await import(`${base}/js/schema-example.js`);
    const kind = (part, defs = {}) => { const { kind, nullable } = shapeOf(part, defs); return nullable ? `${kind}?` : kind; };
    const circle = { A: { $ref: "#/$defs/A" } };
    return {
        kinds: [
            kind({}), kind(true), kind({ type: "string" }), kind({ type: ["string", "null"] }), kind({ const: 5 }),
            kind({ enum: ["a", null] }), kind({ anyOf: [{ type: "integer" }, { type: "null" }] }), kind({ oneOf: [{ type: "integer" }, { type: "string" }] }),
            kind({ type: ["string", "number"] }), kind({ type: "object" }), kind({ type: "object", additionalProperties: { type: "integer" } }), kind({ type: "object", additionalProperties: true }), kind({ type: "array", items: {} }), kind({ type: "array" }),
            kind({ $ref: "#/$defs/B~1C" }, { "B/C": { type: "boolean" } }), kind({ $ref: "#/$defs/A" }, circle), kind({ allOf: [{ type: "number" }] }),
        ],
        words: describeField({ name: "n", schema: { type: "integer", minimum: 1, maximum: 9, default: 4 }, defs: {} }),
        exact: describeField({ name: "n", schema: { type: "array", items: {}, minItems: 1, maxItems: 1 }, defs: {} }),
        circles: [
            describeField({ name: "t", schema: { $ref: "#/$defs/Tree" }, defs: { Tree: { type: "object", additionalProperties: { $ref: "#/$defs/Tree" } } } }),
            describeField({ name: "t", schema: { $ref: "#/$defs/Tree" }, defs: { Tree: { type: "object", additionalProperties: { anyOf: [{ $ref: "#/$defs/Tree" }, { type: "integer" }] } } } }),
            describeField({ name: "t", schema: { $ref: "#/$defs/Deep" }, defs: { Deep: { anyOf: [{ type: "array", items: { $ref: "#/$defs/Deep" } }, { type: "integer" }] } } }),
        ],
        fits: [fits({ type: "integer" }, 1.5, {}), fits({ type: "string" }, "x", {}), fits({ const: "a" }, "b", {})],
        example: exampleOf({ type: "array", items: { $ref: "#/$defs/T" } }, { T: { type: "object", required: ["k"], properties: { k: { $ref: "#/$defs/T" } } } }, "x") !== null,
        bounded: [exampleOf({ type: "integer", maximum: 1 }, {}, "n"), exampleOf({ type: "number", exclusiveMinimum: 5 }, {}, "n")],
    };
}
