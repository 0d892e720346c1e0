// Templates: lit-html, with the project's own rule that all text looks as it is.
//
// A template is drawn again whenever its data changes; only what differs is touched. What a text says
// becomes a text node or an attribute, never HTML.
import { base } from "./base.js";
import { html as litHtml, nothing as litNothing, render as litRender, svg as litSvg } from "../vendor/lit-html.js";
import { visible } from "./dom.js";

const shown = (/** @type {any} */ value) => (typeof value === "string" ? visible(value) : value);

/** @param {TemplateStringsArray} strings @param {...any} values @returns {any} */
export const html = (strings, ...values) => litHtml(strings, ...values.map(shown));

/** The children of an `<svg>`. @param {TemplateStringsArray} strings @param {...any} values @returns {any} */
export const svg = (strings, ...values) => litSvg(strings, ...values.map(shown));

/** Nothing at all: as a child no node, as a whole attribute value no attribute. */
export const nothing = litNothing;

/** Draw a template into `node`. @param {any} template @param {any} node */
export const draw = (template, node) => litRender(template, node);

/** An icon from icons.svg. @param {string} name */
export const icon = (name) => html`<svg class="icon" aria-hidden="true"><use href=${`#s-${name}`}></use></svg>`;

/** A long name that may break after `_`, `.` and `-`, and before a capital. @param {string} name */
export const breakable = (name) => name.split(/(?<=[_.-])|(?<=[a-z])(?=[A-Z])/).map((part, i) => (i ? html`<wbr>${part}` : part));

/** A button that opens a confirmation. It is hidden from callers without the role. @param {string} text @param {string} label @param {() => void} act @param {string} [needs] the role; "everything": of all queues and types, too */
export const action = (text, label, act, needs = "operator") => html`<button type="button" class="act" data-needs=${needs} aria-label=${label} @click=${act}>${text}</button>`;

/** The address of the list of jobs with this filter. @param {Record<string, string>} filter */
export const jobsWith = (filter) => `${base}/ui/jobs?${new URLSearchParams(filter)}`;
