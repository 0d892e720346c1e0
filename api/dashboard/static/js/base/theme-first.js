// Sets the chosen theme before the first paint, so that the page does not flash. Not a module: modules run later.
{
  const chosen = localStorage.getItem("orpheus.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
