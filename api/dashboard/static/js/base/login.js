// The login page, which is shown instead of any page until the browser has a session.
//
// It imports nothing, because the other scripts are served only with a session.

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const { base } = document.documentElement.dataset;
const LONGEST_WAIT_MS = 15_000;
const form = byId("login"), token = byId("token"), send = byId("send"), problem = byId("problem");

byId("where").textContent = `to ${location.host}`; // of several installations, this one's token is wanted

/** Show whether the token is being checked. @param {boolean} isChecking */
function show(isChecking) {
  send.disabled = isChecking;
  send.textContent = isChecking ? "Checking …" : "Log in";
}

/** Load the requested page. The #fragment is removed: with one, the browser would not load the page again. */
const enter = () => location.replace(location.pathname + location.search);

async function refusal(answer) {
  try { return (await answer.json()).detail; } catch { return `HTTP ${answer.status}`; }
}

send.disabled = false; // before this, Enter would leave the page
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show(true);
  problem.hidden = true;
  token.removeAttribute("aria-invalid");
  let reason;
  try {
    const answer = await fetch(`${base}/session`, {
      method: "POST", cache: "no-store", signal: AbortSignal.timeout(LONGEST_WAIT_MS),
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value.trim() }),
    });
    if (answer.ok) return enter();
    reason = await refusal(answer);
    if (answer.status === 401) token.setAttribute("aria-invalid", "true"); // with other statuses the token may be right
  } catch {
    reason = "Orpheus does not answer. Is it running?";
  }
  problem.textContent = reason;
  problem.hidden = false;
  show(false);
  token.focus();
  token.select();
});

// A request that follows a link on another site does not send the session cookie: try it once more.
if ((await fetch(`${base}/session`, { cache: "no-store" }).catch(() => null))?.ok) enter();
