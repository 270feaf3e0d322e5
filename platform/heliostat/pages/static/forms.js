// Changes go to the wire, as any client's do; its errors are shown where the change was asked for.
import { refresh } from "./live.js";

const proof = () => document.querySelector("meta[name=heliostat-proof]").content;

export async function send(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { "Content-Type": "application/json", "X-Heliostat-Proof": proof() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let found = null;
  try { found = text ? JSON.parse(text) : null; } catch { /* no JSON: a proxy's words */ }
  if (!answer.ok) throw new Error(found?.message ?? `The service answered ${answer.status}.`);
  return found;
}

export function tell(text, place = document.querySelector("[data-alert]")) {
  place.hidden = !text;
  place.textContent = text;
}

function number(field) {
  const value = Number(field.value);
  if (field.value.trim() === "" || !Number.isFinite(value)) throw new Error(`${field.name || field.getAttribute("aria-label")}: must be a number, got “${field.value}”.`);
  return value;
}

function valueOf(field) {
  if (field.dataset.kind === "number") return number(field);
  if (field.dataset.kind === "flag") return field.checked;
  if (field.dataset.kind === "renew") return field.checked ? "renew" : null;
  return field.value;
}

// The body that a form's fields make: groups become objects, lists become [{name, value}].
function bodyOf(form) {
  if (form.dataset.as === "tags") return { tags: { [form.elements.tag.value]: true } };
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.dataset.group) body[field.dataset.group] ??= {};
    if (field.value === "" && field.tagName !== "TEXTAREA") continue;
    const value = valueOf(field);
    if (value === null || value === false) continue;
    if (field.dataset.group) body[field.dataset.group][field.name] = value;
    else if (field.dataset.list) (body[field.dataset.list] ??= []).push({ name: field.name, value });
    else body[field.name] = value;
  }
  if (body.failed) delete body.values;
  return body;
}

async function submitted(form) {
  const output = form.querySelector("output");
  const [method, path] = form.dataset.call.split(" ");
  if (output) output.textContent = "";
  form.querySelector(".error")?.remove();
  try {
    const body = bodyOf(form);
    if (method === "PUT" && path.includes("/observations/") && !body.failed) body.failed = false;
    const made = await send(method, path, body);
    if (output) output.textContent = "Done.";
    if (made?.token) secret(made.token);
    if (form.dataset.form) form.reset();
    if (form.matches("details.edit form")) form.closest("details").open = false;
    await refresh();
  } catch (error) {
    complain(form, error.message);
  }
}

function complain(form, text) {
  form.querySelector(".error")?.remove();
  const place = document.createElement("p");
  place.className = "error bad";
  place.setAttribute("role", "alert");
  place.textContent = text;
  form.append(place);
}

// Budget, metrics and bounds: the declaration as it is now, with what the form says laid over it.
async function revised(form) {
  const path = form.dataset.revise;
  form.querySelector(".error")?.remove();
  form.querySelector("output").textContent = "";
  try {
    const now = await send("GET", path);
    const whole = (name) => (form.elements[name].value === "" ? null : number(form.elements[name]));
    const metrics = now.metrics.map((metric) => {
      const [field, strategy, objective] = ["metric", "strategy", "objective"].map((part) =>
        form.querySelector(`[data-${part}="${CSS.escape(metric.name)}"]`));
      if (!field) return metric;
      const threshold = field.value === "" ? null : number(field);
      return { ...metric, threshold, strategy: strategy.value, objective: objective.value };
    });
    const parameters = now.parameters.map((item) => {
      if (!item.bounds) return item;
      const end = (which) => number(form.querySelector(`[data-parameter="${CSS.escape(item.name)}"][data-end="${which}"]`));
      return { ...item, bounds: { ...item.bounds, min: end("min"), max: end("max") } };
    });
    const body = { name: form.elements.name.value, budget: whole("budget"), parallel_bandwidth: whole("parallel_bandwidth"), metrics, parameters };
    await send("PUT", path, body);
    document.activeElement?.blur();
    await refresh();
    document.querySelector("[data-revise] output").textContent = "Saved.";
  } catch (error) {
    complain(form, error.message);
  }
}

function secret(token) {
  const place = document.querySelector("[data-secret]");
  if (!place) return;
  place.hidden = false;
  place.querySelector("code").textContent = token;
  place.querySelector("[data-copy]").dataset.copy = token;
}

async function called(button) {
  const [method, path] = button.dataset.call.split(" ");
  button.disabled = true;
  try {
    await send(method, path, button.dataset.body === undefined ? undefined : JSON.parse(button.dataset.body));
    tell("");
    await refresh();
  } catch (error) {
    tell(error.message);
  }
  button.disabled = false;
}

// A link for a guest. Its token lies behind #, which browsers send nowhere.
async function shared(button) {
  try {
    const made = await send("POST", button.dataset.share, {});
    const link = `${location.origin}/sign-in#token=${made.token}&next=${encodeURIComponent(button.dataset.next)}`;
    const place = document.querySelector("[data-alert]");
    place.hidden = false;
    const text = document.createElement("p");
    text.textContent = "Whoever has this link sees this and nothing else, for 30 days:";
    const field = document.createElement("input");
    [field.readOnly, field.value, field.className] = [true, link, "link"];
    field.setAttribute("aria-label", "Share link");
    const copy = document.createElement("button");
    [copy.type, copy.textContent, copy.dataset.copy] = ["button", "Copy", link];
    place.replaceChildren(text, field, " ", copy);
    field.select();
  } catch (error) {
    tell(error.message);
  }
}

async function signIn(token, next, form) {
  const answer = await fetch("/sign-in", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) {
    const found = await answer.json();
    complain(form, found.message);
    return;
  }
  const { next: home } = await answer.json();
  location.replace(next && /^\/(?![/\\])/.test(next) ? next : home);
}

export async function signOut() {
  await send("POST", "/sign-out");
  location.assign("/sign-in");
}

// On the page that asks for a token: one from a share link, or a cookie that came along only from here.
export async function fill() {
  const form = document.querySelector("[data-sign-in]");
  if (!form) return;
  const isAsked = location.pathname === "/sign-in";
  const here = isAsked ? "" : location.pathname + location.search;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(form.elements.token.value.trim(), here, form);
  });
  const shared = new URLSearchParams(location.hash.slice(1));
  if (shared.get("token")) {
    history.replaceState({}, "", location.pathname);
    await signIn(shared.get("token"), shared.get("next"), form);
    return;
  }
  if (!isAsked && !sessionStorage.getItem("heliostat-asked")) {
    sessionStorage.setItem("heliostat-asked", "1");
    const answer = await fetch("/sign-in/check");
    if (answer.status === 204) location.reload();
  }
}

export function listenToForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.call) { event.preventDefault(); submitted(form); }
    if (form.dataset.revise) { event.preventDefault(); revised(form); }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-call], button[data-share]");
    if (button?.dataset.call) called(button);
    if (button?.dataset.share) shared(button);
  });
}
