// Refusals that came after their dialog had been closed, shown at the edge of the page until somebody closes them.
import { byId, h, hide } from "../base/dom.js";

const box = byId("refused");
byId("refused-close").addEventListener("click", () => {
  hide(box, true, byId("main"));
  byId("refused-list").replaceChildren();
});

/** Tell a refusal once, without taking the focus. While a dialog is open, nobody hears what is behind it, so it waits. @param {string} question the title of the dialog @param {string} why */
export function tellRefusal(question, why) {
  const open = document.querySelector("dialog[open]");
  if (open) return open.addEventListener("close", () => tellRefusal(question, why), { once: true });
  box.hidden = false;
  byId("refused-list").append(h("li", {}, h("b", {}, question.replace(/\?$/, ":")), ` ${why}`));
}
