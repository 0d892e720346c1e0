// Building and changing elements. All text goes through text nodes: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */

/** The element of the page with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. `on…` properties are listeners, the others attributes (true: empty, false: none).
 * @param {string} tag @param {Record<string, any>} [properties] @param {...Child} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. @param {string} tag @param {Record<string, any>} [properties] @param {...Child} children */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.filter((child) => child || child === 0 || child === "").map((child) =>
    child instanceof Node ? child : String(child)));
  return element;
}

/** Sets an attribute, if it is not so already. @param {Element} element @param {string} name @param {any} value */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== (value === true ? "" : String(value)))
    element.setAttribute(name, value === true ? "" : String(value));
}

/** Sets the text, if it is not so already: a selection in unchanged text survives. @param {Node} node @param {any} text */
export function say(node, text) {
  if (node.textContent !== String(text)) node.textContent = String(text);
}

/** Puts these children, in this order, and moves only what is out of place. @param {Element} parent @param {Node[]} children */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.childNodes]) if (!wanted.has(/** @type {any} */ (child))) child.remove();
  children.forEach((child, i) => {
    if (parent.childNodes[i] !== child) parent.insertBefore(child, parent.childNodes[i] ?? null);
  });
}

/** A symbol of icons.svg. @param {string} name */
export const icon = (name) => svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#s-${name}` }));

/** Whether text inside `node` is selected. @param {Node} node */
export function selectedIn(node) {
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(node, true);
}

/** Makes `button` copy what `text()` gives, and says so for a moment. @param {any} button @param {() => string} text */
export function copies(button, text) {
  button.addEventListener("click", async () => {
    let done = "copied";
    try { await navigator.clipboard.writeText(text()); } catch { done = "not allowed"; }
    say(button, done);
    setTimeout(() => say(button, "copy"), 1500);
  });
}
