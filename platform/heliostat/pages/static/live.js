// Parts of the page that are asked for anew: when the log has grown, and when a filter or an order is chosen.
import { conditionOf } from "./brushing.js";
import { drawAll, renew } from "./figures.js";
import { restore, selectedQuery, show } from "./selected.js";

const EVERY = 1500;
const SLOWEST = 15000;
const seqOf = (page) => Number(page.getElementById("seq").value);
let seq = seqOf(document);
let swapping = Promise.resolve();

function status(text) {
  for (const place of document.querySelectorAll("[data-status]")) if (place.textContent !== text) place.textContent = text;
}

const fragment = async (address, since) => {
  const asked = new URL(address, location);
  asked.searchParams.set("live", since);
  const answer = await fetch(asked, { headers: { Accept: "text/html" } });
  if (answer.status === 401) { location.reload(); throw new Error("signed out"); }
  return answer;
};

const isBusy = (part) => part.contains(document.activeElement)
  && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)
  && document.activeElement.type !== "checkbox";

// What people have opened, where they stand and what they were told must outlive the swap.
function replaced(part, fresh) {
  const opened = [...part.querySelectorAll("details[open][id]")].map((item) => item.id);
  const focus = document.activeElement;
  const at = part.contains(focus) ? [...part.querySelectorAll("a, button, input, summary")].indexOf(focus) : -1;
  const scrolled = [...part.querySelectorAll("pre, .scroll, .details")].map((item) => [item.scrollTop, item.scrollLeft]);
  const isAtEnd = [...part.querySelectorAll("pre")].map((item) => item.scrollTop + item.clientHeight >= item.scrollHeight - 4);
  const told = part.matches("form") && part.querySelector("output")?.textContent;
  part.replaceWith(fresh);
  const place = fresh.querySelector("output"); // none for who may not write any more
  if (told && place) place.textContent = told;
  for (const id of opened) { const item = document.getElementById(id); if (item) item.open = true; }
  [...fresh.querySelectorAll("pre, .scroll, .details")].forEach((item, place) => {
    if (scrolled[place]) [item.scrollTop, item.scrollLeft] = scrolled[place];
  });
  if (fresh.hasAttribute("data-tail")) {
    [...fresh.querySelectorAll("pre")].forEach((item, place) => { if (isAtEnd[place] ?? true) item.scrollTop = item.scrollHeight; });
  }
  if (at >= 0) [...fresh.querySelectorAll("a, button, input, summary")][at]?.focus({ preventScroll: true });
}

// Put the parts of an answer in the place of those that differ. Gives whether a busy part was left out.
async function swap(text, isForced = false) {
  const next = new DOMParser().parseFromString(text, "text/html");
  if (!isForced && seqOf(next) < seq) return; // asked for before a change that is shown by now
  const wanted = new Map([...next.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  const present = new Map([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  let isLeft = false;
  for (const [name, part] of present) {
    const fresh = wanted.get(name);
    if (!fresh) { part.remove(); continue; }
    const hasVersion = part.dataset.version !== undefined;
    if (hasVersion ? part.dataset.version === fresh.dataset.version : part.isEqualNode(fresh)) continue;
    if (!isForced && isBusy(part)) { isLeft = true; continue; }
    if (part.closest("[data-cards]") && !part.matches("[data-cards]")) await renew(part, fresh);
    else replaced(part, document.importNode(fresh, true));
  }
  adopt(next, present);
  seq = isLeft ? seq : seqOf(next);
  await drawAll(document);
  show();
}

// Parts that are new take their place behind the part (or in the section) that they follow.
function adopt(next, present) {
  for (const fresh of next.querySelectorAll("[data-part]")) {
    if (present.has(fresh.dataset.part)) continue;
    const before = fresh.previousElementSibling?.dataset.part;
    const place = before && document.querySelector(`[data-part="${CSS.escape(before)}"]`);
    const home = fresh.parentElement.closest("[data-cards]") ? document.querySelector("[data-cards]") : document.getElementById("main");
    const copy = document.importNode(fresh, true);
    if (place) place.after(copy); else home?.append(copy);
  }
}

const inTurn = (work) => { swapping = swapping.then(work, work); return swapping; };

// Ask for what is new and show it; for what has been changed by hand.
export function refresh() {
  return inTurn(async () => {
    const answer = await fragment(location, 0);
    if (answer.ok) await swap(await answer.text(), true);
  });
}

// All of the page anew, as it is by now.
export async function whole() {
  const answer = await fragment(location, 0);
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = [...next.querySelector("main").children].map((item) => document.importNode(item, true));
  document.getElementById("main").replaceChildren(document.querySelector("[data-alert]"), ...fresh);
  seq = seqOf(next);
  show();
}

// Look whether the log has grown, again and again; a service that is being restarted is waited for.
export async function follow() {
  let wait = EVERY;
  for (;;) {
    await new Promise((done) => setTimeout(done, wait));
    if (document.hidden) continue;
    try {
      const answer = await fragment(location, seq);
      if (answer.status === 200) {
        const text = await answer.text();
        await inTurn(() => swap(text));
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      wait = EVERY;
      status("live");
    } catch {
      wait = Math.min(wait * 1.5, SLOWEST);
      status("not reached – trying again");
    }
  }
}

// Show the same page under another address: filter, order, page of the table.
export async function visit(address, isBack = false) {
  const wanted = new URL(address, location);
  if (!isBack && selectedQuery()) wanted.searchParams.set("selected", selectedQuery());
  const answer = await fragment(wanted, 0);
  if (!isBack) history.pushState({}, "", wanted);
  await inTurn(async () => swap(await answer.text(), true));
}

// A finished brush on parallel axes becomes a condition in the address.
function brushed(event) {
  const address = new URL(location);
  for (const name of ["brush", "before", "after"]) address.searchParams.delete(name);
  if (event.detail.length) address.searchParams.set("brush", JSON.stringify(conditionOf(event.detail)));
  visit(address);
}

export function listenToLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    visit(link.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-swap]");
    if (!form) return;
    event.preventDefault();
    const address = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value) address.searchParams.append(name, value);
    form.closest("details")?.removeAttribute("open");
    visit(address);
  });
  document.addEventListener("brush", brushed);
  addEventListener("popstate", () => {
    visit(location, true).then(restore);
  });
}
