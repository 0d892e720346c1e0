// One more question before something is done: what it will do, the equal call, and any refusal.
import { byId, say } from "./dom.js";
import { postCurl } from "./curl.js";
import { ask } from "./http.js";

/**
 * Asks, in the page's dialog; on yes posts `body` to `path`. The focus returns to where it was.
 * @param {{title: string, text: string, yes: string, path: string, body?: any, done: () => void}} question
 * `done`: what to do when it was done.
 */
export function confirm({ title, text, yes: label, path, body, done }) {
  const dialog = byId("confirm"), yes = byId("confirm-yes"), problem = byId("confirm-problem");
  say(byId("confirm-title"), title);
  say(byId("confirm-text"), text);
  say(byId("confirm-curl"), postCurl(path, body));
  say(yes, label);
  problem.hidden = true;
  yes.onclick = async () => {
    yes.disabled = true;
    try {
      await ask(path, { method: "POST", body });
      dialog.close();
      done();
    } catch (error) {
      say(problem, error.message);
      problem.hidden = false;
    }
    yes.disabled = false;
    if (dialog.open) yes.focus(); // being disabled took the focus away
  };
  dialog.showModal();
}
