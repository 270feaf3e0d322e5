// plotly.js takes long to parse: after the first paint, but while the rest of the page is still being made.
const early = {
  plotly: null,
  load(address) {
    this.plotly ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = address;
      const missing = () => {
        this.plotly = null; // who needs it next asks again
        script.remove();
        failed(new Error("plotly.js did not come"));
      };
      script.onload = () => (window.Plotly ? done() : missing()); // a proxy may answer with a page of its own
      script.onerror = missing;
      document.head.append(script);
    });
    return this.plotly;
  },
};
if (document.documentElement.dataset.plotly) {
  const load = () => early.load(document.documentElement.dataset.plotly).catch(() => { /* told where it is used */ });
  requestAnimationFrame(() => setTimeout(load, 0));
}
