// The login page: what a browser is shown in place of any page until it has a session.
//
// It stands by itself, as the other scripts are not served without one.

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const form = byId("login"), token = byId("token"), send = byId("send"), problem = byId("problem");

/** The page that was asked for, now that it is ours to see; what follows # would keep it from loading. */
const enter = () => location.replace(location.pathname + location.search);

async function refusal(answer) {
  try { return (await answer.json()).detail; } catch { return `HTTP ${answer.status}`; }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  send.disabled = true;
  problem.hidden = true;
  let told;
  try {
    const answer = await fetch("/session", {
      method: "POST", cache: "no-store",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value.trim() }),
    });
    if (answer.ok) return enter();
    told = await refusal(answer);
  } catch {
    told = "Orpheus does not answer. Is it running?";
  }
  problem.textContent = told;
  problem.hidden = false;
  send.disabled = false;
  token.select();
});

// Whoever comes by a link on another site has not sent the session yet that the browser holds.
if ((await fetch("/session", { cache: "no-store" }).catch(() => null))?.ok) enter();
