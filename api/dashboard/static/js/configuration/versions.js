// The texts that the configuration file has held: who put them there, what each changed, and the way back.
import { diffLines } from "./change-preview.js";
import { byId, h } from "../base/dom.js";
import { request } from "../base/http.js";
import { timeNode } from "../base/time.js";

const BY_HAND = "file";

export class Versions {
  shown = "";

  /** @param {(version: any) => void} goBack */
  constructor(goBack) { this.goBack = goBack; }

  /** Read the versions again. @param {boolean} canGoBack */
  async load(canGoBack) {
    let items;
    try { ({ items } = await request("/config/versions")); } catch { return; } // the page says what is wrong with the file itself
    byId("no-versions").hidden = items.length > 0;
    const key = JSON.stringify([items, canGoBack]);
    if (this.shown === key) return; // keep what is open, and the focus
    this.shown = key;
    byId("versions").replaceChildren(...items.map((/** @type {any} */ item, /** @type {number} */ i) => this.row(item, items.slice(i + 1), canGoBack)));
  }

  row(item, earlier, canGoBack) {
    const { version, at, by, reason, in_file: inFile, in_force: inForce } = item;
    const marks = [inFile && "in the file", inForce && "in force"].filter(Boolean).join(", ");
    const body = h("div", { class: "version", hidden: true }); // not inside the row, so that the button stays in that row
    const details = h("details", { ontoggle: () => {
      body.hidden = !details.open;
      if (details.open && !body.firstChild) body.append(...bodyOf(item, earlier));
    } },
      h("summary", { id: `version-${version}` }, h("b", {}, `Version ${version}`), " ", timeNode(at, "exact"), " ",
        h("span", { class: "summary" }, by === BY_HAND ? "edited on the machine" : by), marks && h("span", { class: "mark-now" }, marks)));
    return h("li", {}, details, reason && h("p", { class: "hint reason" }, `“${reason}”`),
      canGoBack && !inFile && item.text !== null && h("button", { type: "button", id: `version-${version}-back`, onclick: () => this.goBack(item) }, `Go back to version ${version}`),
      body);
  }
}

/** What a version changed in the newest before it that can be shown. @param {any} version @param {any[]} earlier */
function bodyOf({ version, text }, earlier) {
  if (text === null) return [h("p", { class: "hint" }, "Not shown, because its secrets cannot be masked.")];
  const before = earlier.find((one) => one.text !== null);
  const lines = before ? diffLines(before.text, text) : [];
  if (before && !lines.length) return [h("p", { class: "hint" }, `The same as version ${before.version}, except for its secrets.`)];
  return [h("p", { class: "hint" }, before ? `What differs from version ${before.version}:` : "Its text:"),
    h("pre", { class: `code ${before ? "diff" : ""}`, tabindex: "0", "aria-label": before ? `What version ${version} changed` : `Version ${version}` }, ...(before ? lines : [text]))];
}
