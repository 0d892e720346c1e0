// The keys of the list of jobs. They act on the row that has the focus.
import { byId, setText } from "../base/dom.js";

/** @param {HTMLElement} body the rows @param {import("../jobs/selection.js").Selection} selection @param {import("../jobs/bulk.js").Bulk} bulk @returns {Record<string, () => void>} */
export function rowKeys(body, selection, bulk) {
  const current = () => document.activeElement?.closest("tr[data-id]");
  const idOf = (row) => (row ? Number(row.dataset.id) : undefined);
  const act = (action) => bulk.start(action, idOf(current()));

  /** Go to the next row, or to the next one that matches. */
  function go(by, selector = "tr[data-id]") {
    const rows = [...body.querySelectorAll("tr[data-id]")];
    const at = current() ? rows.indexOf(current()) : by > 0 ? -1 : rows.length;
    const ahead = by > 0 ? rows.slice(at + 1) : rows.slice(0, Math.max(0, at)).reverse();
    const next = ahead.find((row) => row.matches(selector));
    setText(byId("told"), next ? "" : selector.includes("failed") ? `No failed job ${by > 0 ? "further down" : "further up"} on this page.` : "");
    next?.querySelector(".id a").focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  const keys = { j: () => go(1), k: () => go(-1), f: () => go(1, "[data-status=failed]"), F: () => go(-1, "[data-status=failed]") };
  if (!selection.page) return keys; // read-only
  return { ...keys, x: () => current() && selection.flip(idOf(current())), r: () => act("retry"), c: () => act("cancel") };
}
