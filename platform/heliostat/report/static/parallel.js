// Lines across parallel axes on a canvas. Drag along an axis to brush it, click it to let go.
// A finished brush is told by the event "brush"; what comes back can be brushed and given newer runs.
function parallelAxes(canvas, figure, output) {
  const order = ["open", "stopped", "failed", "infeasible", "feasible", "best"];
  let [axes, numbers, classes, ranks, rows, hasGaps, leading, rowOf, brushes] = [[], [], [], [], [], false, 0, null, []];
  const pen = canvas.getContext("2d");
  const MOST_DASHED = 300; // among more lines dashes are not seen, and one takes as long as three whole lines
  const FONT = '12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
  const SMALL = FONT.replace("12px", "11px");
  let [colours, frame, backdrop, lit, drag] = [{}, null, null, null, null];

  function load(next) {
    const isSame = next.axes.map((axis) => axis.name).join("\u0000") === axes.map((axis) => axis.name).join("\u0000");
    ({ axes, numbers, classes, ranks } = next);
    rows = [...numbers.keys()].sort((a, b) => order.indexOf(classes[a]) - order.indexOf(classes[b]));
    hasGaps = axes.some((axis) => axis.values.includes(null));
    leading = classes.filter((kind) => kind === "best").length;
    rowOf = new Map(numbers.map((number, row) => [number, row]));
    if (!isSame) brushes = axes.map(() => null);
    canvas.style.minWidth = `${axes.length * 84}px`;
    lit = null;
  }

  function measure() {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const side = Math.min(70, width / (axes.length + 1) / 1.4);
    // Values that are missing run along a lane of their own below the axes.
    frame = { width, height, ratio, left: side, right: width - side, top: 46, bottom: height - (hasGaps ? 54 : 26) };
    for (const name of ["text", "muted", "quiet", "edge", "accent", "good", "bad", "surface"]) colours[name] = cssColour(name);
  }

  function x(place) {
    if (axes.length === 1) return (frame.left + frame.right) / 2;
    return frame.left + (place * (frame.right - frame.left)) / (axes.length - 1);
  }

  function y(place, row) {
    const value = axes[place].values[row];
    if (value === null) return frame.height - 22;
    return frame.bottom - position(axes[place], value) * (frame.bottom - frame.top);
  }

  function isKept(row) {
    return brushes.every((brush, place) => {
      if (!brush) return true;
      const here = y(place, row);
      return here >= Math.min(...brush) - 2 && here <= Math.max(...brush) + 2;
    });
  }

  function style(row) {
    const kind = classes[row];
    if (kind === "best") return [colours.accent, Math.max(0.5, Math.min(0.95, 4 / Math.sqrt(leading))), leading > 20 ? 1.2 : 2, []];
    if (kind === "feasible") return [colours.good, (0.18 + 0.5 * (ranks[row] ?? 0) ** 2) * crowd(), 1.2, []];
    if (kind === "infeasible") return [colours.bad, 0.4 * crowd(), 1, numbers.length > MOST_DASHED ? [] : [5, 3]];
    return [colours.quiet, 0.35 * crowd(), 1, []];
  }

  // Many lines must each be fainter, or the densest part is one block.
  function crowd() { return Math.max(0.25, Math.min(1.3, 12 / Math.sqrt(numbers.length + 1))); }

  function line(row, [colour, alpha, width, dash]) {
    pen.beginPath();
    axes.forEach((_, place) => pen[place ? "lineTo" : "moveTo"](x(place), y(place, row)));
    pen.strokeStyle = colour; pen.globalAlpha = alpha; pen.lineWidth = width; pen.setLineDash(dash);
    pen.stroke();
    pen.globalAlpha = 1; pen.setLineDash([]);
  }

  function fitted(text, width, font) {
    pen.font = font;
    if (pen.measureText(text).width <= width) return text;
    let end = text.length;
    while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
    return `${text.slice(0, end)}…`;
  }

  // Ground under a label, so that lines do not strike it through.
  function plate(left, top, width, height) {
    pen.globalAlpha = 0.85; pen.fillStyle = colours.surface;
    pen.fillRect(left, top, width, height);
    pen.globalAlpha = 1;
  }

  // Centred on its axis, but never beyond the edges of the canvas.
  function label(text, place, at, colour, font = SMALL) {
    const room = axes.length > 1 ? (frame.right - frame.left) / (axes.length - 1) - 8 : frame.width - 8;
    const shown = fitted(text, Math.max(room, 30), font);
    const half = pen.measureText(shown).width / 2;
    const centre = Math.min(Math.max(x(place), half + 1), frame.width - half - 1);
    plate(centre - half - 2, at - 10, 2 * half + 4, 13);
    pen.font = font; pen.fillStyle = colour; pen.textAlign = "center"; pen.textBaseline = "alphabetic";
    pen.fillText(shown, centre, at);
  }

  function drawAxis(axis, place) {
    pen.strokeStyle = axis.is_metric ? colours.text : colours.muted;
    pen.lineWidth = axis.is_metric ? 1.5 : 1;
    pen.beginPath(); pen.moveTo(x(place), frame.top); pen.lineTo(x(place), frame.bottom); pen.stroke();
    label(axis.name, place, 16, colours.text, FONT);
    if (axis.kind === "category") return categories(axis, place);
    label(axis.kind === "log" ? `${short(axis.high)} log` : short(axis.high), place, 34, colours.muted);
    if (axis.low !== axis.high) label(short(axis.low), place, frame.bottom + 15, colours.muted);
    limit(axis, place);
  }

  function categories(axis, place) {
    const step = (frame.bottom - frame.top) / Math.max(axis.names.length - 1, 1);
    const every = Math.ceil(14 / step);
    const room = axes.length > 1 ? (frame.right - frame.left) / (axes.length - 1) - 16 : 200;
    axis.names.forEach((name, at) => {
      if (at % every) return;
      const isLast = place === axes.length - 1 && place > 0;
      const height = frame.bottom - position(axis, at) * (frame.bottom - frame.top);
      const shown = fitted(name, Math.min(room, 110), SMALL);
      const width = pen.measureText(shown).width;
      const left = isLast ? x(place) - width - 8 : x(place) + 6;
      plate(left - 2, height - 8, width + 4, 15);
      pen.fillStyle = colours.muted; pen.textAlign = "left"; pen.textBaseline = "middle";
      pen.fillText(shown, left, height);
    });
  }

  function limit(axis, place) {
    if (axis.limit === null || axis.limit === undefined) return;
    const share = position(axis, axis.limit);
    if (!(share >= 0 && share <= 1)) return;
    const height = frame.bottom - share * (frame.bottom - frame.top);
    pen.strokeStyle = colours.bad; pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(x(place) - 9, height); pen.lineTo(x(place) + 9, height); pen.stroke();
    pen.globalAlpha = 0.18; pen.fillStyle = colours.bad;
    const end = axis.sign > 0 ? frame.bottom : frame.top;
    pen.fillRect(x(place) - 5, Math.min(height, end), 10, Math.abs(end - height));
    pen.globalAlpha = 1;
  }

  function drawBrush(brush, place) {
    if (!brush) return;
    const [from, to] = [Math.min(...brush), Math.max(...brush)];
    pen.fillStyle = colours.accent; pen.globalAlpha = 0.25;
    pen.fillRect(x(place) - 8, from, 16, to - from);
    pen.globalAlpha = 1; pen.strokeStyle = colours.accent; pen.lineWidth = 1;
    pen.strokeRect(x(place) - 8, from, 16, to - from);
  }

  function draw() {
    pen.clearRect(0, 0, frame.width, frame.height);
    const isBrushed = brushes.some(Boolean);
    let kept = 0;
    for (const row of rows) {
      if (!isBrushed || isKept(row)) { kept += 1; line(row, style(row)); }
      else line(row, [colours.edge, 0.5, 1, []]);
    }
    if (hasGaps) {
      pen.strokeStyle = colours.edge; pen.lineWidth = 1;
      pen.beginPath(); pen.moveTo(frame.left, frame.height - 22); pen.lineTo(frame.right, frame.height - 22); pen.stroke();
      label("no value", 0, frame.height - 6, colours.quiet);
    }
    axes.forEach(drawAxis);
    brushes.forEach(drawBrush);
    output.textContent = isBrushed ? `${kept} of ${numbers.length} runs kept` : "";
    // A pointed-at line is drawn over a picture of the rest: redrawing thousands of lines would lag.
    backdrop = null;
    if (lit !== null) highlight();
  }

  function highlight() {
    backdrop ??= snapshot();
    pen.save(); pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height); pen.drawImage(backdrop, 0, 0);
    pen.restore();
    if (lit === null) return;
    line(lit, [colours.surface, 0.9, 6, []]);
    line(lit, [colours.text, 1, 2.5, []]);
    axes.forEach((_, place) => {
      pen.fillStyle = colours.text; pen.beginPath(); pen.arc(x(place), y(place, lit), 4, 0, 7); pen.fill();
    });
  }

  function snapshot() {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    copy.getContext("2d").drawImage(canvas, 0, 0);
    return copy;
  }

  function nearest(px, py) {
    let [best, least] = [null, 7];
    const place = Math.min(Math.max(0, axes.findIndex((_, at) => x(at) > px) - 1), axes.length - 2);
    if (px < x(0) - 8 || px > x(axes.length - 1) + 8 || axes.length < 2) return null;
    const from = px > x(axes.length - 2) ? axes.length - 2 : place;
    const share = (px - x(from)) / (x(from + 1) - x(from));
    for (const row of rows) {
      if (!isKept(row)) continue;
      const away = Math.abs(y(from, row) + share * (y(from + 1, row) - y(from, row)) - py);
      if (away < least) [best, least] = [row, away];
    }
    return best;
  }

  const inside = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    const [px, py] = inside(event);
    const place = axes.findIndex((_, at) => Math.abs(x(at) - px) < 14);
    if (place < 0 || py < frame.top - 14) return;
    drag = { place, from: py };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = inside(event);
    if (drag) {
      if (Math.abs(py - drag.from) > 3) { brushes[drag.place] = [drag.from, py]; draw(); }
      return;
    }
    const isOnAxis = axes.some((_, at) => Math.abs(x(at) - px) < 14);
    canvas.style.cursor = isOnAxis ? "ns-resize" : "default";
    const row = nearest(px, py);
    links.point(row === null ? null : numbers[row]);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && Math.abs(inside(event)[1] - drag.from) <= 3) brushes[drag.place] = null;
    if (drag) { drag = null; draw(); tell(); }
  });
  canvas.addEventListener("pointerleave", () => { if (!drag) links.point(null); });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { brushes.fill(null); draw(); tell(); }
  });

  // What each brush keeps, as shares of its axis from its lower end to its upper end.
  function shares() {
    const height = frame.bottom - frame.top;
    return brushes.map((brush) => brush && [Math.max(...brush), Math.min(...brush)].map((at) => (frame.bottom - at) / height));
  }

  function tell() {
    const kept = shares().map((span, place) => span && { axis: axes[place], span }).filter(Boolean);
    canvas.dispatchEvent(new CustomEvent("brush", { detail: kept, bubbles: true }));
  }

  function brush(spans) {
    brushes = spans.map((span) => span && span.map((share) => frame.bottom - share * (frame.bottom - frame.top)));
    draw();
  }

  function refresh() {
    const spans = frame ? shares() : [];
    measure();
    if (spans.some(Boolean)) brush(spans); else draw();
  }

  load(figure);
  links.join((number) => { lit = rowOf.get(number) ?? null; highlight(); });
  new ResizeObserver(refresh).observe(canvas);
  darkness.addEventListener("change", refresh);
  refresh();
  return { brush, update(next) { load(next); refresh(); } };
}
