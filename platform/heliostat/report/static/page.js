// What is cheap is drawn first; plotly, which takes seconds to parse, follows the first paint.
async function copied(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 1200);
}

function lightRows(number) {
  for (const place of document.querySelectorAll(".lit")) place.classList.remove("lit");
  if (number === null) return;
  for (const place of document.querySelectorAll(`[data-run="${number}"]`)) place.classList.add("lit");
}

const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));

async function page() {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const button of document.querySelectorAll("[data-copy]")) button.onclick = () => copied(button);
  const space = data.figures["parameter-space"];
  const best = space ? space.numbers.filter((_, row) => space.classes[row] === "best") : [];
  runsTable({ ...data.table, leaders: new Set(best) }, document.getElementById("runs"));
  links.join(lightRows);
  for (const place of document.querySelectorAll("table, .tile, details")) links.listen(place);
  for (const canvas of document.querySelectorAll("[data-parallel]")) {
    const output = canvas.closest(".card").querySelector("output");
    parallelAxes(canvas, data.figures[canvas.dataset.parallel], output);
  }
  const charts = [...document.querySelectorAll("[data-figure]")];
  if (charts.length) {
    await painted();
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly-source").textContent;
    document.head.append(script);
    for (const place of charts) {
      await chart(place, data.figures[place.dataset.figure], data.dark);
      await painted();
    }
  }
  document.body.dataset.ready = "";
}
page();
