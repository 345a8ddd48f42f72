// The little a browser has to be told: menus close when one looks away, the drawer when one has chosen.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    const inside = menu.contains(event.target);
    if (!inside || event.target.closest("[data-menu-item]")) menu.removeAttribute("open");
  }
  const drawer = event.target.closest("dialog[data-drawer]");
  if (drawer && (event.target === drawer || event.target.closest("a"))) drawer.close();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }
});
