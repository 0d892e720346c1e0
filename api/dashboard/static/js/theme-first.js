// Runs before the first paint (it is no module), so that a chosen theme does not flash.
{
  const chosen = localStorage.getItem("orpheus.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
