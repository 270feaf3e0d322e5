// Selecting runs, and what can be done with the selected ones.
import { send, tell } from "./forms.js";
import { refresh } from "./live.js";
import { isSelected, selectedIds, selectedQuery, toggle } from "./selected.js";

async function each(change) {
  try {
    for (const id of selectedIds()) await change(id);
  } catch (error) {
    tell(error.message);
    return;
  }
  await refresh();
}

function lightRows(number) {
  for (const place of document.querySelectorAll(".lit")) place.classList.remove("lit");
  if (number === null) return;
  for (const place of document.querySelectorAll(`[data-run="${number}"]`)) place.classList.add("lit");
}

export function listenToSelection() {
  links.join(lightRows);
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-select]");
    if (box) toggle(Number(box.dataset.select), box.checked);
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest("[data-compare]")) location.assign(`/compare?runs=${selectedQuery()}`);
    if (target.closest("[data-clear]")) { for (const id of selectedIds()) toggle(id, false); }
    if (target.closest("[data-archive]")) each((id) => send("DELETE", `/v1/training_runs/${id}`, {}));
    const row = target.closest("tr[data-id]");
    if (row && !target.closest("a, input, button, label")) toggle(Number(row.dataset.id), !isSelected(Number(row.dataset.id)));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-tag]");
    if (!form) return;
    event.preventDefault();
    const name = form.elements.tag.value;
    each((id) => send("PATCH", `/v1/training_runs/${id}`, { tags: { [name]: true } }));
    form.reset();
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr[data-run]");
    links.point(row ? Number(row.dataset.run) : null);
  });
}
