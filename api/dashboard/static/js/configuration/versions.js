// The texts that the configuration file has held: who put them there, what each changed, and the way back.
import { diffLines } from "./change-preview.js";
import { byId, h, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { timeNode } from "../base/time.js";
import { plural } from "../base/words.js";

const BY_HAND = "file";
const SHOWN_AT_FIRST = 5; // there may be 50, above the settings

export class Versions {
  /** @type {Map<number, any>} the elements by version, so that an open one stays open */
  rows = new Map();
  isAll = false;

  /** @param {(version: any) => void} goBack */
  constructor(goBack) {
    this.goBack = goBack;
    byId("more-versions").addEventListener("click", () => {
      this.isAll = true;
      this.fold();
      byId("versions").children[SHOWN_AT_FIRST].querySelector("summary").focus();
    });
  }

  /** Show the newest alone until somebody asks for all. */
  fold() {
    const rows = [...this.rows.values()];
    rows.forEach((row, i) => { row.hidden = !this.isAll && i >= SHOWN_AT_FIRST; });
    const more = rows.filter((row) => row.hidden).length;
    showOrHide(byId("more-versions"), more ? `show ${plural(more, "older version")}` : "");
  }

  /** Read the versions again. @param {boolean} canGoBack */
  async load(canGoBack) {
    let items;
    try { ({ items } = await request("/config/versions")); } catch { return; } // the page says what is wrong with the file itself
    byId("no-versions").hidden = items.length > 0;
    const open = new Set([...this.rows].filter(([, row]) => row.querySelector("details").open).map(([number]) => number));
    this.rows = new Map(items.map((/** @type {any} */ item, /** @type {number} */ i) => [item.version, this.row(item, items.slice(i + 1), canGoBack, open.has(item.version))]));
    const focused = document.activeElement?.id;
    byId("versions").replaceChildren(...this.rows.values());
    this.fold();
    if (focused?.startsWith("version-")) byId(focused)?.focus();
  }

  row(item, earlier, canGoBack, isOpen) {
    const { version, at, by, reason, in_file: inFile, in_force: inForce, fault } = item;
    const marks = [inFile && "in the file", inForce && "in force"].filter(Boolean).join(", ");
    const body = h("div", { class: "version", hidden: !isOpen }); // not inside the row, so that the button stays in that row
    const details = h("details", { ontoggle: () => {
      body.hidden = !details.open;
      if (details.open && !body.firstChild) body.append(...this.body(item, earlier));
    } },
      h("summary", { id: `version-${version}` }, h("b", {}, `Version ${version}`), " ", timeNode(at, "exact"), " ",
        h("span", { class: "summary" }, by === BY_HAND ? "edited on the machine" : by), marks && h("span", { class: "mark-now" }, marks), fault && h("span", { class: "mark-fault" }, fault)));
    details.open = isOpen;
    return h("li", {}, details, reason && h("p", { class: "hint reason" }, `“${reason}”`),
      canGoBack && !inFile && item.text !== null && h("button", { type: "button", id: `version-${version}-back`, onclick: () => this.goBack(item) }, `Go back to version ${version}`),
      body);
  }

  /** Why a version was rejected, and what it changed in the newest before it that can be shown. @param {any} version @param {any[]} earlier */
  body(item, earlier) {
    const { rejection } = item;
    return [...(rejection ? [h("p", { class: "notice rejected" }, `It was rejected: ${rejection}`)] : []), ...this.changes(item, earlier)];
  }

  /** @param {any} version @param {any[]} earlier */
  changes({ version, text }, earlier) {
    if (text === null) return [h("p", { class: "hint" }, "It is not shown: its secrets cannot be told apart from the rest.")];
    const before = earlier.find((one) => one.text !== null);
    if (!before) {
      const why = earlier.length ? "No version before it can be shown. Its text:" : "The oldest text that is kept:";
      return [h("p", { class: "hint" }, why), h("pre", { class: "code", tabindex: "0", "aria-label": `Version ${version}` }, text)];
    }
    const lines = diffLines(before.text, text);
    if (!lines.length) return [h("p", { class: "hint" }, `The same as version ${before.version}, but for its secrets at most.`)];
    const what = before === earlier[0] ? `What it changed in version ${before.version}:` : `What differs from version ${before.version}, the newest before it that can be shown:`;
    return [h("p", { class: "hint" }, what), h("pre", { class: "code diff", tabindex: "0", "aria-label": `What version ${version} changed` }, ...lines)];
  }
}
