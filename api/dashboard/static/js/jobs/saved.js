// Filters that were saved under a name, in this browser.
import { byId, h, setText, showOrHide } from "../base/dom.js";
import { write } from "../lists/query.js";

const KEY = "orpheus.filters";

/** @returns {Record<string, string>} name -> the query of the address */
function read() {
  try { return JSON.parse(localStorage.getItem(KEY) ?? "{}"); } catch { return {}; }
}

/** @param {() => string} now the query of the address @param {(query: string) => void} go */
export function startSaved(now, go) {
  const list = byId("saved"), button = byId("save"), dialog = byId("name-filter"), name = byId("filter-name");
  const nameOf = (query) => Object.entries(read()).find(([, saved]) => saved === query)?.[0] ?? "";
  const show = () => {
    const names = Object.keys(read()).sort();
    list.replaceChildren(h("option", { value: "" }, names.length ? "choose" : "none yet"), ...names.map((one) => h("option", { value: one }, one)));
    list.value = nameOf(now());
    button.textContent = list.value ? "Forget" : "Save";
    button.disabled = !now();
  };
  /** Say that saving under this name would replace another filter. */
  const warn = () => {
    const known = read()[name.value.trim()];
    showOrHide(byId("name-taken"), known && `This name is that of the filter “${write(Object.fromEntries(new URLSearchParams(known)))}”, which it would replace.`);
    setText(byId("name-yes"), known ? "Replace" : "Save");
  };
  const keep = (filters) => { localStorage.setItem(KEY, JSON.stringify(filters)); show(); };
  list.addEventListener("change", () => list.value && go(read()[list.value]));
  button.addEventListener("click", () => {
    const { [nameOf(now())]: known, ...others } = read();
    if (known) return keep(others);
    name.value = "";
    warn();
    dialog.showModal();
  });
  /** Save at once: "close" comes with the next frame, when another filter may be shown. */
  const save = () => { if (name.value.trim()) keep({ ...read(), [name.value.trim()]: now() }); };
  byId("name-yes").addEventListener("click", save);
  dialog.addEventListener("close", () => button.focus());
  name.addEventListener("input", warn);
  name.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); save(); dialog.close(); } });
  return show;
}
