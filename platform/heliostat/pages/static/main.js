// What every page does: figures, live parts, forms, selection; ready once the figures are drawn.
import { drawAll, painted, redraw } from "./figures.js";
import { fill, listenToForms, signOut } from "./forms.js";
import { follow, listenToLinks, whole } from "./live.js";
import { restore } from "./selected.js";
import { listenToSelection } from "./selection.js";
import { listenToViews } from "./views.js";

function listenToTheme() {
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.addEventListener("click", () => {
      const chosen = darkness.matches ? "light" : "dark";
      document.documentElement.dataset.theme = chosen;
      document.cookie = `heliostat-theme=${chosen}; Path=/; SameSite=Lax; Max-Age=31536000`;
      darkness.changed();
    });
  }
}

async function copied(button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const field = document.createElement("textarea");
    field.value = button.dataset.copy;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1200);
}

// Tiles that take a while are asked for after everything else.
async function later() {
  for (const place of document.querySelectorAll("[data-later]")) {
    const answer = await fetch(`${place.dataset.later}?live=0`);
    if (!answer.ok) continue;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...parsed.querySelector("main").children);
  }
}

// A page that was shown before its figures were made gets them now.
async function read() {
  if (!document.querySelector("[data-reading]")) return;
  await painted();
  await whole();
}

async function page() {
  listenToTheme();
  listenToForms();
  listenToLinks();
  listenToSelection();
  listenToViews();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copied(button);
  });
  for (const button of document.querySelectorAll("[data-sign-out]")) button.onclick = signOut;
  document.addEventListener("selected", redraw);
  fill();
  restore();
  links.listen(document.getElementById("main"));
  await read();
  await drawAll(document);
  document.body.dataset.ready = "";
  redraw();
  if (document.querySelector("[data-live]")) follow();
  later();
}
page();
