// The configuration file on its page: its path, why it cannot be edited, and what can be done with it.
import { byId, isReadOnly, setText, showOrHide } from "../base/dom.js";
import { plural } from "../base/words.js";

/** @param {any} configuration of GET /config @param {boolean} isChanged here */
export function showFile({ path, text, etag, obstacle }, isChanged) {
  const canChange = !isReadOnly && etag !== null;
  for (const id of ["change", "undo", "change-title"]) byId(id).hidden = !canChange;
  byId("changed-elsewhere").hidden = true;
  byId("with-file").hidden = path === null; // there is nothing to edit
  setText(byId("path"), path ?? "");
  byId("no-change").hidden = !canChange || isChanged;
  setText(byId("how"), text === null ? "Go back to a version" : "Edit the text, or go back to a version");
  showOrHide(byId("obstacle"), obstacle);
}

/** Return the problems of the file that are still to be told. If the text is not shown and was rejected, the head of the page tells them. @param {any} configuration of GET /config */
export const untold = ({ text, problems, warnings, rejected }) =>
  text === null && rejected ? [] : [...problems, ...warnings];

/** What was found in a text, and how good that is. @param {any} answer of PUT /config @returns {[string, string]} */
export function verdictOf({ problems, warnings }) {
  if (problems.length) return [plural(problems.length, "problem"), "bad"];
  return warnings.length ? [`The configuration is valid, with ${plural(warnings.length, "warning")}.`, ""] : ["The configuration is valid.", "good"];
}
