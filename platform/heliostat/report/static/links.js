// One run at a time is pointed at; every view that joined is told its number, or null.
const links = {
  views: [],
  current: null,
  join(view) { this.views.push(view); },
  point(number) {
    if (number === this.current) return;
    this.current = number;
    for (const view of this.views) view(number);
  },
  // Rows, tiles and failures that carry data-run point at it while the pointer is over them.
  listen(root) {
    root.addEventListener("pointerover", (event) => {
      const place = event.target.closest("[data-run]");
      if (place) this.point(Number(place.dataset.run));
    });
    root.addEventListener("pointerleave", () => this.point(null));
  },
};
