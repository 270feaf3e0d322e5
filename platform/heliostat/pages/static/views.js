// Views of a table that somebody has named: filter, order and columns, kept in the browser, page by page.
import { visit } from "./live.js";

const PASSING = ["before", "after", "selected", "live"];
const key = () => `heliostat-views:${location.pathname}`;

// A browser that keeps nothing shows an empty list; what is kept may be anything.
function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(key()) ?? "[]");
    return Array.isArray(found) ? found.filter((view) => typeof view?.name === "string" && typeof view?.query === "string") : [];
  } catch {
    return [];
  }
}

function keep(views) {
  localStorage.setItem(key(), JSON.stringify(views));
  list();
}

function present() {
  const asked = new URL(location).searchParams;
  for (const name of PASSING) asked.delete(name);
  return asked.toString();
}

function entry(view) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `${location.pathname}?${view.query}`;
  link.textContent = view.name;
  link.dataset.view = view.name;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Forget";
  button.setAttribute("aria-label", `Forget the view ${view.name}`);
  button.dataset.forget = view.name;
  item.append(link, " ", button);
  return item;
}

function list() {
  const place = document.querySelector("[data-views]");
  if (!place) return;
  const views = kept();
  place.replaceChildren(...views.map(entry));
  place.hidden = !views.length;
}

export function listenToViews() {
  list();
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-save-view]");
    if (!form) return;
    event.preventDefault();
    const name = form.elements.view.value.trim();
    if (!name) return;
    keep([...kept().filter((view) => view.name !== name), { name, query: present() }]);
    form.reset();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-forget]");
    if (button) keep(kept().filter((view) => view.name !== button.dataset.forget));
    const link = event.target.closest("a[data-view]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    link.closest("details").removeAttribute("open");
    visit(link.href);
  });
}
