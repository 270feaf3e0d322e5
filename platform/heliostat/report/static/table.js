// The table of runs: sorted by any column, filtered by words and comparisons, one page at a time.
const PAGE = 500;

function runsTable(data, root) {
  const [table, filter] = [root.querySelector("[data-runs]"), root.querySelector("[data-filter]")];
  const columns = data.columns;
  const count = columns[0].values.length;
  const texts = Array.from({ length: count }, (_, row) =>
    columns.map((column) => short(column.values[row])).join("\u0000").toLowerCase());
  const numeric = columns.map((column) => column.values.some((value) => typeof value === "number"));
  const state = { order: [...texts.keys()].reverse(), by: 0, down: true, page: 0 };

  // "loss<0.2" compares a column; any other word must occur somewhere in the row.
  function test(word) {
    const parts = word.match(/^(.+?)(<=|>=|<|>|=)(-?[\d.]+(?:e-?\d+)?)$/);
    const column = parts && columns.find((item) => item.name.toLowerCase() === parts[1]);
    if (!column) return (row) => texts[row].includes(word);
    const limit = Number(parts[3]);
    const holds = { "<": (x) => x < limit, ">": (x) => x > limit, "<=": (x) => x <= limit,
      ">=": (x) => x >= limit, "=": (x) => x === limit }[parts[2]];
    return (row) => typeof column.values[row] === "number" && holds(column.values[row]);
  }

  function matching() {
    const tests = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
    return state.order.filter((row) => tests.every((holds) => holds(row)));
  }

  function sort(place) {
    state.down = state.by === place ? !state.down : false;
    state.by = place;
    const values = columns[place].values;
    const sign = state.down ? -1 : 1;
    const missing = (value) => value === null || value === "nan";
    state.order.sort((a, b) => {
      const [x, y] = [values[a], values[b]];
      if (missing(x) || missing(y)) return missing(x) - missing(y) || a - b;
      if (typeof x === "number" && typeof y === "number") return sign * (x - y) || a - b;
      return sign * String(x).localeCompare(String(y)) || a - b;
    });
    state.page = 0;
    draw();
  }

  function cell(column, row, place) {
    const element = document.createElement("td");
    const value = column.values[row];
    element.textContent = short(value);
    if (value !== null) element.title = String(value);
    if (numeric[place]) element.className = "number";
    if (column.group === "text") element.className = "text";
    if (place === 1) element.className = tone(data.standings[row]);
    if (place === 1 && data.standings[row] === "infeasible") element.textContent = "over guardrail";
    if (place === 1 && data.standings[row] === "incomplete") element.textContent = "no finite metrics";
    return element;
  }

  function tone(standing) {
    if (["failed", "infeasible", "incomplete"].includes(standing)) return "bad";
    return standing === "feasible" ? "good" : "";
  }

  function draw() {
    const rows = matching();
    const last = Math.max(Math.ceil(rows.length / PAGE) - 1, 0);
    state.page = Math.min(state.page, last);
    const body = document.createDocumentFragment();
    for (const row of rows.slice(state.page * PAGE, (state.page + 1) * PAGE)) {
      const line = document.createElement("tr");
      line.dataset.run = columns[0].values[row];
      if (data.leaders.has(columns[0].values[row])) line.className = "on-front";
      line.append(...columns.map((column, place) => cell(column, row, place)));
      body.append(line);
    }
    if (!rows.length) body.append(nothing());
    table.tBodies[0].replaceChildren(body);
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      if (place === state.by) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    root.querySelector("[data-shown]").textContent =
      rows.length === count ? `${count}` : `${rows.length} of ${count}`;
    pages(last);
  }

  function nothing() {
    const line = document.createElement("tr");
    const only = line.insertCell();
    [only.colSpan, only.className] = [columns.length, "none"];
    only.textContent = count ? "No run matches the filter." : "No runs yet.";
    return line;
  }

  function pages(last) {
    const place = root.querySelector("[data-pages]");
    place.replaceChildren();
    if (!last) return;
    const step = (text, by) => {
      const button = document.createElement("button");
      button.textContent = text;
      button.disabled = state.page + by < 0 || state.page + by > last;
      button.onclick = () => { state.page += by; draw(); };
      return button;
    };
    place.append(step("Previous", -1), `page ${state.page + 1} of ${last + 1}`, step("Next", 1));
  }

  const heads = table.tHead.insertRow();
  columns.forEach((column, place) => {
    const head = document.createElement("th");
    head.textContent = head.title = column.name;
    head.tabIndex = 0;
    if (numeric[place]) head.className = "number";
    head.onclick = () => sort(place);
    head.onkeydown = (event) => { if (event.key === "Enter") sort(place); };
    heads.append(head);
  });
  filter.oninput = () => { state.page = 0; draw(); };
  draw();
}
