// Create and change elements. All text becomes text nodes: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Characters that turn the direction of what follows: with them, a text looks like another one. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Text that looks as it is: each of these is shown by its code, as on the command line. @param {string} text */
export const visible = (text) => text.replace(TURNS, (turn) => `\\u${turn.charCodeAt(0).toString(16)}`);

/** @typedef {Node | string | number | null | undefined | false} Child */

const { role, narrowed: parts = "" } = document.documentElement.dataset;
/** Whether the caller may change the configuration. */
export const isAdmin = role === "admin";
/** "queues", "types" or both, if the caller sees only some of them. */
export const narrowed = parts;

/** Return the element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Create an element. Properties named `on…` are listeners, the others attributes (true: empty, false: not set).
 * @param {string} tag @param {Record<string, any>} [properties] @param {...Child} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Create an SVG element, as `h` does. @param {string} tag @param {Record<string, any>} [properties] @param {...Child} children */
function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else setAttr(element, name, value);
  }
  element.append(...children.filter((child) => child || child === 0 || child === "").map((child) =>
    child instanceof Node ? child : visible(String(child))));
  return element;
}

/** Set an attribute, unless it has this value already. @param {Element} element @param {string} name @param {any} value */
export function setAttr(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== (value === true ? "" : String(value)))
    element.setAttribute(name, value === true ? "" : String(value));
}

/** Set the text, unless it is the same: then a selection in it is kept. @param {Node} node @param {any} text */
export function setText(node, text) {
  const shown = visible(String(text));
  if (node.textContent !== shown) node.textContent = shown;
}

/** Show `text` in `node`, or hide the node if there is none. @param {any} node @param {string | null | undefined} text */
export function showOrHide(node, text) {
  setText(node, text ?? "");
  node.hidden = !text;
}

/** Hide a node, or show it. If it has the focus, `next` gets it, which else goes to the top of the page. @param {any} node @param {boolean} isHidden @param {any} next */
export function hide(node, isHidden, next) {
  if (isHidden && node.contains(document.activeElement)) next.focus({ preventScroll: true });
  node.hidden = isHidden;
}

/** Mark a button as one that does nothing now. It is not disabled, because then the focus would go to the top of the page. @param {any} button @param {boolean} isOff */
export const setOff = (button, isOff) => setAttr(button, "aria-disabled", isOff ? "true" : null);

/** Call `act` when the button is pressed, unless it is off. @param {any} button @param {() => void} act */
export const onPress = (button, act) => button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || act());

const FOCUSABLE = "a[href], button, input, summary";

/** Make these the children, in this order, and move only those that are out of place. The focus stays where it is, or goes to the child that takes its place. @param {Element} parent @param {Node[]} children */
export function arrange(parent, children) {
  const wanted = new Set(children);
  const focused = /** @type {any} */ (parent.contains(document.activeElement) ? document.activeElement : null);
  const index = [...parent.children].findIndex((child) => child.contains(focused));
  for (const child of [...parent.childNodes]) if (!wanted.has(/** @type {any} */ (child))) child.remove();
  children.forEach((child, i) => {
    if (parent.childNodes[i] !== child) parent.insertBefore(child, parent.childNodes[i] ?? null);
  });
  if (!focused || document.activeElement === focused) return;
  const next = parent.children[Math.min(index, parent.childElementCount - 1)];
  const nextFocus = next?.matches(FOCUSABLE) ? next : next?.querySelector(FOCUSABLE);
  (focused.isConnected ? focused : nextFocus)?.focus({ preventScroll: true });
}

/** Create an icon from icons.svg. @param {string} name */
export const icon = (name) => svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#s-${name}` }));

// Reading the selection forces a layout, so it is read when it changes, not at each update.
let isAnySelected = false;
document.addEventListener("selectionchange", () => { isAnySelected = getSelection()?.isCollapsed === false; });

/** Return whether text inside `node` is selected. @param {Node} node */
export function selectedIn(node) {
  return isAnySelected && !!getSelection()?.containsNode(node, true);
}

/** Make `button` copy the text that `text()` returns, and confirm it for a moment. Return the button. @param {any} button @param {() => string} text */
export function copyOnClick(button, text) {
  button.addEventListener("click", () => copy(button, text()));
  return button;
}

/** Copy a text, and confirm it in `button` for a moment. @param {any} button @param {string} text */
export async function copy(button, text) {
  const before = button.dataset.word ??= button.textContent;
  let done = "copied";
  try { await navigator.clipboard.writeText(text); } catch { done = "not allowed"; }
  setText(button, done);
  setTimeout(() => setText(button, before), 1500);
}

/** Create a button that does so. @param {() => string} text */
export const copyButton = (text) => copyOnClick(h("button", { type: "button", class: "quiet" }, "copy"), text);
