// A number for people: four significant digits; anything else as it is.
function short(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e7) return String(Number(value.toPrecision(4)));
  return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
}

// Where a number lies on [0, 1] of an axis.
function position(axis, value) {
  if (axis.kind === "category") return axis.names.length > 1 ? value / (axis.names.length - 1) : 0.5;
  const scale = axis.kind === "log" ? Math.log10 : (x) => x / 2;
  const [low, high, place] = [scale(axis.low), scale(axis.high), scale(value)];
  return high > low ? (place - low) / (high - low) : 0.5;
}

function cssColour(name) {
  // light-dark() is resolved only in a used value, never in the custom property itself.
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

// Dark is what the system says, unless the page has a switch of its own (data-theme).
const darkness = {
  system: matchMedia("(prefers-color-scheme: dark)"),
  listeners: [],
  get matches() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : this.system.matches;
  },
  addEventListener(kind, listener) {
    this.listeners.push(listener);
    this.system.addEventListener(kind, listener);
  },
  changed() { for (const listener of this.listeners) listener(); },
};
