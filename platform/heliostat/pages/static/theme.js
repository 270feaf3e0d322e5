// Before the first paint: the reader's own choice of light or dark, if there is one.
(() => {
  try {
    const chosen = localStorage.getItem("heliostat-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* storage may be off; the system's choice holds */ }
})();
