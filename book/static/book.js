// What the theme leaves out for those who use a keyboard or a screen reader.
for (const summary of document.querySelectorAll("nav summary")) {
  const link = summary.closest("li")?.querySelector("a");
  if (link) summary.setAttribute("aria-label", link.textContent.trim());
}
// On paper nothing can be unfolded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("article details")) details.open = true;
});
