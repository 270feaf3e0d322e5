// Brushes on parallel axes as they stand in the address: {"params.lr": [0.1, 1], "params.kind": ["adam"]}.
const nameOf = (axis) => `${axis.is_metric ? "metrics" : "params"}.${axis.name}`;

function valueAt(axis, share) {
  // A brush beyond an end keeps what lies at that end, whatever its last digit.
  if (share <= 0) return axis.low - Math.abs(axis.low) * 1e-5;
  if (share >= 1) return axis.high + Math.abs(axis.high) * 1e-5;
  const isLog = axis.kind === "log";
  const [low, high] = isLog ? [Math.log10(axis.low), Math.log10(axis.high)] : [axis.low, axis.high];
  const place = low + share * (high - low);
  return Number((isLog ? 10 ** place : place).toPrecision(6));
}

export function conditionOf(kept) {
  const near = 0.01;
  return Object.fromEntries(kept.map(({ axis, span: [low, high] }) => {
    if (axis.kind !== "category") return [nameOf(axis), [valueAt(axis, low), valueAt(axis, high)]];
    const isIn = (_, at) => position(axis, at) >= low - near && position(axis, at) <= high + near;
    return [nameOf(axis), axis.names.filter(isIn)];
  }));
}

// Where the address's brushes lie on these axes, as shares of each axis.
export function spansOf(axes) {
  let kept = {};
  try { kept = JSON.parse(new URL(location).searchParams.get("brush") ?? "{}"); } catch { /* the table says so */ }
  return axes.map((axis) => {
    const found = kept[nameOf(axis)];
    if (!Array.isArray(found) || !found.length) return null;
    const places = axis.kind === "category" ? found.map((name) => axis.names.indexOf(name)) : found;
    const shares = places.map((value) => Math.min(Math.max(position(axis, value), 0), 1)).filter(Number.isFinite);
    return shares.length ? [Math.min(...shares), Math.max(...shares)] : null;
  });
}
