// The options of a new job, with the defaults of its type: folded, with what is given in the line that opens them.
import { byId, setText } from "../base/dom.js";
import { Field } from "./field.js";
import { shapeOf } from "./schema.js";

const TEXT = { type: "string", short: true };

/** 900 -> "15m", as a person writes it. @param {number} seconds */
function asWritten(seconds) {
  const [size, unit] = [[86_400, "d"], [3600, "h"], [60, "m"]].find(([one]) => seconds >= Number(one) && seconds % Number(one) === 0) ?? [1, "s"];
  return `${seconds / Number(size)}${unit}`;
}

/** @param {any} defaults of the type */
const optionsOf = ({ queue, max_retries, timeout }) => ({
  queue: { ...TEXT, default: queue, hint: "", list: "queue-names" },
  priority: { type: "integer", minimum: -1000, maximum: 1000, default: 0, hint: "the higher runs first" },
  delay: { ...TEXT, hint: "from now: seconds, or 500ms, 30s, 15m, 2h, 7d" },
  run_at: { ...TEXT, hint: "a time such as 2026-12-31T12:00:00Z, instead of a delay" },
  max_retries: { type: "integer", minimum: 0, maximum: 100, default: max_retries, hint: "after the first attempt" },
  timeout: { ...TEXT, default: asWritten(+timeout), hint: "for each attempt" },
  unique_key: { ...TEXT, hint: "while a job with this key waits or runs, submitting again returns the existing job" },
  concurrency_key: { ...TEXT, hint: "jobs with the same key share the limits per key of their queue" },
  depends_on: { type: "list", of: "integer", hint: "ids of jobs that must be done first, separated by commas" },
  on_dependency_failure: { enum: ["cancel", "run", "fail"], default: "cancel", hint: "if one of them fails or is cancelled" },
  tags: { type: "list", hint: "names, separated by commas" },
});

/** @param {any} defaults of the type */
function fieldsFor(defaults) {
  return Object.entries(optionsOf(defaults)).map(([name, schema]) => {
    const shape = schema.type === "list" ? { kind: "list", schema, nullable: false } : shapeOf(schema, {});
    return new Field({ name, id: `option-${name}`, required: false, shape: { ...shape, schema: { ...shape.schema, isOption: true } } });
  });
}

export class JobOptions {
  /** @type {Field[]} */
  fields = [];
  /** @param {any} defaults of a type */
  setDefaults(defaults) {
    this.fields = fieldsFor(defaults);
    byId("option-fields").replaceChildren(...this.fields.map(({ node }) => node));
  }

  /** Return the options that are given. */
  read() {
    return Object.fromEntries(this.fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined));
  }

  /** Fill in what `values` names. @param {Record<string, any>} values */
  write(values) {
    for (const field of this.fields) field.write(values[field.name]);
  }

  /** Say in the summary which options are given: they may be folded. */
  summarize() {
    const given = this.fields.filter(({ input }) => input.value !== "").map(({ name, input }) => `${name} ${input.value}`);
    setText(byId("options-given"), given.length ? given.join(" · ") : "all at their defaults");
  }

  /** Show a problem at its field; return whether there is such a field. @param {string[]} path @param {string} text */
  showProblem([name, ...path], text) {
    const field = this.fields.find((one) => one.name === name);
    field?.showProblem(path, text);
    if (field) byId("options").open = true;
    return !!field;
  }

  clearProblems() { this.fields.forEach((field) => field.clearProblems()); }
}
