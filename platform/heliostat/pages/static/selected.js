// Which runs are selected: in the address and in the table; figures hear of it by the event "selected".
// Runs are selected by identity; figures know their numbers.
const MOST_COMPARED = 8;
const selected = new Set();
let known = null;

// [numbers, identities] of the experiment's runs; on other pages a run's number is its identity.
function ids() {
  const place = document.getElementById("ids");
  if (!place) return null;
  if (known?.place !== place) {
    const [numbers, identities] = JSON.parse(place.textContent);
    known = {
      place,
      byNumber: new Map(numbers.map((number, at) => [number, identities[at]])),
      byId: new Map(identities.map((id, at) => [id, numbers[at]])),
    };
  }
  return known;
}

export function numbersSelected() {
  const found = ids();
  return [...selected].map((id) => (found ? found.byId.get(id) : id)).filter((number) => number !== undefined);
}

export function toggleNumber(number) {
  const found = ids();
  if (!found && !document.querySelector("[data-select]")) return; // nothing can be done with it here
  const id = found ? found.byNumber.get(number) : number;
  if (id !== undefined) toggle(id, !selected.has(id));
}

export const isSelected = (id) => selected.has(id);
export const selectedIds = () => [...selected];
export const selectedQuery = () => [...selected].join(",");

export function toggle(id, isOn) {
  if (isOn) selected.add(id); else selected.delete(id);
  show();
  const address = new URL(location);
  if (selected.size) address.searchParams.set("selected", selectedQuery());
  else address.searchParams.delete("selected");
  history.replaceState(history.state, "", address);
}

export function show() {
  for (const box of document.querySelectorAll("[data-select]")) {
    box.checked = selected.has(Number(box.dataset.select));
    box.closest("tr").setAttribute("aria-selected", String(box.checked));
  }
  for (const bulk of document.querySelectorAll("[data-bulk]")) {
    bulk.hidden = !selected.size;
    bulk.querySelector("[data-bulk-count]").textContent = `${selected.size} selected`;
    const isFit = selected.size >= 2 && selected.size <= MOST_COMPARED;
    const button = bulk.querySelector("[data-compare]");
    button.disabled = !isFit;
    button.title = isFit ? "" : `Compare takes 2 to ${MOST_COMPARED} runs`;
  }
  document.dispatchEvent(new Event("selected"));
}

// The selection of the address.
export function restore() {
  selected.clear();
  for (const part of (new URL(location).searchParams.get("selected") ?? "").split(",")) {
    if (/^\d{1,15}$/.test(part)) selected.add(Number(part));
  }
  show();
}
