// The confirmation dialog: what will happen, the same call with curl, and the error if it is refused.
import { byId, setText, showOrHide } from "./dom.js";
import { postCurl } from "./curl.js";
import { request } from "./http.js";

/**
 * Open the dialog; if confirmed, post `body` to `path`. The focus then returns to where it was.
 * @param {{title: string, text: string, yes: string, path: string, body?: any, done: () => void}} question
 * `done`: called after the call succeeded.
 */
export function confirm({ title, text, yes: label, path, body, done }) {
  const dialog = byId("confirm"), yes = byId("confirm-yes"), problem = byId("confirm-problem");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-curl"), postCurl(path, body));
  setText(yes, label);
  showOrHide(problem, "");
  yes.onclick = async () => {
    yes.disabled = true;
    try {
      await request(path, { method: "POST", body });
      dialog.close();
      done();
    } catch (error) {
      showOrHide(problem, error.message);
    }
    yes.disabled = false;
    if (dialog.open) yes.focus(); // a disabled button loses the focus
  };
  dialog.showModal();
}
