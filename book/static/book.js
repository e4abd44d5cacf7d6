// What the theme leaves out for those who use a keyboard or a screen reader.
for (const summary of document.querySelectorAll("nav summary")) {
  const link = summary.closest("li")?.querySelector("a");
  if (link) summary.setAttribute("aria-label", link.textContent.trim());
}
for (const diagram of document.querySelectorAll(".diagram")) diagram.tabIndex = 0;
