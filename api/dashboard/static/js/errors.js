// The errors of a job's attempts, newest first, each with a short or the full traceback.
import { byId, copyOnClick, h } from "./dom.js";
import { timeNode } from "./time.js";

const SHORT_LINES = 5;
let shown = "";

/** @param {any[]} attempts */
export function showErrors(attempts) {
  const failed = attempts.filter(({ error }) => error).reverse();
  const key = failed.map(({ number }) => number).join();
  if (key === shown) return; // unchanged: keep what is opened or selected
  shown = key;
  byId("errors-section").hidden = !failed.length;
  byId("errors").replaceChildren(...failed.map(errorNode));
}

function errorNode({ number, error, finished_at: at }, i) {
  const lines = (error.traceback ?? "").trimEnd().split("\n");
  const short = lines.slice(-SHORT_LINES).join("\n");
  const trace = h("pre", { class: "code", tabindex: "0", "aria-label": `Traceback of attempt ${number}` }, short);
  const full = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => {
    const all = full.getAttribute("aria-pressed") !== "true";
    full.setAttribute("aria-pressed", String(all));
    full.textContent = all ? "short" : `all ${lines.length} lines`;
    trace.textContent = all ? lines.join("\n") : short;
  } }, `all ${lines.length} lines`);
  const copy = h("button", { type: "button", class: "quiet" }, "copy");
  copyOnClick(copy, () => error.traceback || `${error.type}: ${error.message}`);
  return h("details", { class: "error", open: i === 0 },
    h("summary", {}, h("b", {}, error.type), " ", h("span", { class: "message" }, error.message)),
    h("p", { class: "bar" }, h("span", { class: "summary" }, `attempt ${number}`, at && ", ", at && timeNode(at)), lines.length > SHORT_LINES && full, copy),
    error.traceback && trace);
}
