// Plotly figures: coloured for light or dark, and linked to the run that is pointed at.
// By default plotly 7 shows a "Share chart" button that uploads the figure to its makers' cloud: never here.
const SETTINGS = {
  responsive: true, displaylogo: false, showTips: false, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
};

// What plotly's legend takes, in pixels: beside an entry's text, between entries, for a row.
const LEGEND = { key: 40, gap: 5, row: 19 };

// The same figure with every light colour replaced by its dark partner.
function themed(value, dark) {
  if (typeof value === "string") return (darkness.matches && dark[value]) || value;
  if (Array.isArray(value)) return value.map((item) => themed(item, dark));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) =>
      [key, ["x", "y", "customdata", "hovertext"].includes(key) ? item : themed(item, dark)]));
  }
  return value;
}

// Rows of the legend above a plot of so many pixels: one, or columns as wide as the widest entry.
function legendRows(data, width) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = '11px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
  const entries = data.filter((trace) => trace.name && trace.showlegend !== false);
  const widths = entries.map((trace) => pen.measureText(trace.name).width + LEGEND.key + LEGEND.gap);
  const total = widths.reduce((sum, item) => sum + item, 0);
  if (total - LEGEND.gap < width) return 1;
  return Math.ceil(entries.length / Math.max(1, Math.floor(width / Math.max(...widths))));
}

// The margin that the legend needs: where it is too narrow, plotly draws the figure twice.
function margined(data, layout, width) {
  const { margin, legend, showlegend } = layout;
  if (!margin || legend?.orientation !== "h" || showlegend === false) return margin;
  const rows = legendRows(data, width - margin.l - margin.r);
  return { ...margin, t: margin.t + (rows - 1) * LEGEND.row };
}

function dressed(figure, dark, width) {
  const { data, layout } = themed(figure, dark);
  const hoverlabel = { ...layout.hoverlabel, bgcolor: cssColour("raised"), bordercolor: cssColour("edge"),
    font: { color: cssColour("text"), size: 12 } };
  const bar = { bgcolor: "rgba(0,0,0,0)", color: cssColour("quiet"), activecolor: cssColour("accent") };
  return { data, layout: { ...layout, margin: margined(data, layout, width), hoverlabel, modebar: bar } };
}

// Where a run is in a figure: its marks, or its whole curve.
function placesOf(figure, number) {
  const found = { x: [[]], y: [[]] };
  for (const trace of figure.data) {
    if (trace.yaxis === "y2") continue;
    (trace.customdata ?? []).forEach((item, place) => {
      if (item !== number) return;
      found.x[0].push(trace.x[place]); found.y[0].push(trace.y[place]);
    });
  }
  return found;
}

async function chart(place, figure, dark) {
  const draw = () => {
    const { data, layout } = dressed(figure, dark, place.clientWidth);
    return Plotly.react(place, data, layout, SETTINGS);
  };
  await draw();
  const last = figure.data.length - 1;
  if (figure.data[last]?.meta === "selected") links.join((number) => { Plotly.restyle(place, placesOf(figure, number), [last]); });
  darkness.addEventListener("change", draw);
  place.on("plotly_hover", (event) => {
    const point = event.points[0];
    links.point(figure.data[point.curveNumber].customdata?.[point.pointNumber] ?? null);
  });
  place.on("plotly_unhover", () => links.point(null));
}
