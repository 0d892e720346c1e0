// What to try while there are no jobs: commands for existing job types, each with a payload that fits.
import { postCurl } from "../base/curl.js";
import { byId, copyButton, h } from "../base/dom.js";
import { request } from "../base/http.js";
import { exampleOf } from "../submit/schema.js";

const MOST = 3;
/** Of the types that come with Orpheus. @type {[string, any, string][]} */
const OWN = [
  ["sum_range", { n: 100000 }, "a sum, done at once"],
  ["sleep", { seconds: 5 }, "a job of five seconds, with a progress bar"],
  ["flaky", { failures: 2 }, "a job that fails twice and then succeeds"],
];

let isReading = false;

/** Show them, once there are job types: the types that come with Orpheus, or the first ones of the application. */
export async function showFirstCommands() {
  const list = byId("first-commands");
  if (!list || list.childElementCount || byId("first-steps").hidden || isReading) return; // the caller may not submit, or it is not needed
  let types;
  isReading = true;
  try { types = (await request("/types", { exact: true })).items; } catch { return; } finally { isReading = false; }
  const names = new Set(types.map(({ name }) => name));
  const own = OWN.filter(([name]) => names.has(name));
  list.replaceChildren(...(own.length ? own : types.map(exampleOfType)).slice(0, MOST).map(commandNode));
}

function exampleOfType({ name, description, schema }) {
  return [name, exampleOf(schema, schema.$defs ?? {}, "payload") ?? {}, description || name];
}

function commandNode([type, payload, words]) {
  const text = postCurl("/jobs", { type, payload }).replace(" \\\n  ", " ");
  return h("li", {}, h("p", {}, words), h("div", { class: "command" }, h("code", {}, text), copyButton(() => text)));
}
