// Figures on their cards: drawn once, then given newer data in place, so that zoom and brushes stay.
import { spansOf } from "./brushing.js";
import { numbersSelected, toggleNumber } from "./selected.js";

const dark = JSON.parse(document.getElementById("dark").textContent);
const views = new WeakMap();

export const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));

const dataOf = (card) => JSON.parse(card.querySelector("[data-figure-json]").textContent);

// Where the run that is pointed at and all selected ones are in a figure.
function marksOf(figure) {
  const numbers = new Set(numbersSelected());
  if (links.current !== null) numbers.add(links.current);
  const found = { x: [], y: [] };
  for (const number of numbers) {
    const places = placesOf(figure, number);
    found.x.push(...places.x[0], null);
    found.y.push(...places.y[0], null);
  }
  return found;
}

// Drawn out of sight, a figure has the height that its card was guessed to have; plotly hears of windows alone.
function fit(place) {
  new ResizeObserver(() => {
    const drawn = place.querySelector(".main-svg")?.clientHeight;
    if (drawn && place.clientHeight && Math.abs(drawn - place.clientHeight) > 1) Plotly.Plots.resize(place);
  }).observe(place);
}

async function plotlyView(place, figure) {
  let shown = figure;
  let marks = null;
  const hasMarks = () => shown.data.at(-1)?.meta === "selected";
  const draw = () => {
    const { data, layout } = dressed(shown, dark, place.clientWidth);
    if (hasMarks()) {
      marks = marksOf(shown);
      Object.assign(data.at(-1), marks);
    }
    return Plotly.react(place, data, { ...layout, uirevision: "kept" }, SETTINGS);
  };
  // Plotly draws all of a figure for the marks alone, so only other marks are drawn.
  function mark() {
    if (!hasMarks() || !place.data) return;
    const next = marksOf(shown);
    if (JSON.stringify(next) === JSON.stringify(marks)) return;
    marks = next;
    Plotly.restyle(place, { x: [next.x], y: [next.y] }, [shown.data.length - 1]);
  }
  await draw();
  links.join(mark);
  darkness.addEventListener("change", draw);
  fit(place);
  const numberAt = (event) => {
    const point = event.points[0];
    const item = shown.data[point.curveNumber]?.customdata?.[point.pointNumber];
    return Number.isInteger(item) ? item : null;
  };
  place.on("plotly_hover", (event) => links.point(numberAt(event)));
  place.on("plotly_unhover", () => links.point(null));
  place.on("plotly_click", (event) => { if (numberAt(event) !== null) toggleNumber(numberAt(event)); });
  return { mark, update(next) { shown = next; return draw(); } };
}

function parallelView(card, figure) {
  const canvas = card.querySelector("canvas");
  const view = parallelAxes(canvas, figure, card.querySelector("output"));
  const restored = spansOf(figure.axes);
  if (restored.some(Boolean)) view.brush(restored);
  return { mark() {}, update: view.update };
}

// Those of the cards that plotly.js can draw now: all, or, where it did not come, none. Each then says so, the
// page goes on, and what changes next asks again.
async function drawable(cards) {
  const places = cards.map((card) => card.querySelector("[data-figure]"));
  try {
    await early.load(document.body.dataset.plotly);
  } catch (error) {
    for (const place of places) place.dataset.missing = `Not drawn: ${error.message}. Reload the page to try again.`;
    return [];
  }
  for (const place of places) delete place.dataset.missing;
  return cards;
}

async function draw(card) {
  const place = card.querySelector("[data-figure]");
  if (!place && !card.querySelector("[data-parallel]")) return;
  if (!place) { views.set(card, parallelView(card, dataOf(card))); return; }
  if (!(await drawable([card])).length) return;
  await new Promise((done) => setTimeout(done, 0)); // people may want something before all are drawn
  views.set(card, await plotlyView(place, dataOf(card)));
  place.dataset.drawn = "";
}

export async function drawAll(root) {
  const cards = [...root.querySelectorAll("[data-cards] .card")].filter((card) => !views.has(card));
  for (const card of cards.filter((item) => item.querySelector("[data-parallel]"))) await draw(card);
  const plots = cards.filter((item) => item.querySelector("[data-figure]"));
  if (!plots.length) return;
  await painted();
  for (const card of await drawable(plots)) await draw(card);
}

// A newer card: its words are replaced, its figure stays where it is and gets the newer data.
export async function renew(card, next) {
  const view = views.get(card);
  const isSameKind = Boolean(card.querySelector("[data-keep]")) && Boolean(next.querySelector("[data-keep]"));
  if (!view || !isSameKind) {
    const fresh = document.importNode(next, true);
    card.replaceWith(fresh);
    await draw(fresh);
    return;
  }
  const kept = [...card.querySelectorAll("[data-keep]")];
  const places = [...document.importNode(next, true).children];
  let at = 0;
  const wanted = places.map((item) => (item.hasAttribute("data-keep") ? kept[at++] : item));
  for (const item of [...card.children]) if (!item.hasAttribute("data-keep")) item.remove();
  // Moving a canvas or a plot in the document would redraw it: only what is around it is put in.
  for (const [place, item] of wanted.entries()) {
    if (item.hasAttribute("data-keep")) continue;
    const behind = wanted.slice(place + 1).find((other) => other.hasAttribute("data-keep"));
    card.insertBefore(item, behind ?? null);
  }
  card.dataset.version = next.dataset.version;
  await view.update(dataOf(card));
}

// Selected runs are marked anew in all figures.
export function redraw() {
  for (const card of document.querySelectorAll("[data-cards] .card")) views.get(card)?.mark();
}
