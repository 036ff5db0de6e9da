// Pointing at a bar of a chart, or the arrow keys on it, shows that bar's figures in the chart's line of text.
// They stand in each bar's <title>, which is what shows them without this script.
{
  const barsOf = (plot) => [...plot.querySelectorAll("[data-bar]")];

  const show = (plot, bar) => {
    const title = bar.querySelector("title");
    if (title) {
      bar.dataset.bar = title.textContent;
      title.remove();
    }
    for (const other of plot.querySelectorAll(".is-shown")) other.classList.remove("is-shown");
    bar.classList.add("is-shown");
    document.getElementById(plot.dataset.chart).textContent = bar.dataset.bar;
  };

  document.addEventListener("pointerover", (event) => {
    const bar = event.target.closest("[data-bar]");
    if (bar) show(bar.closest("[data-chart]"), bar);
  });

  document.addEventListener("focusin", (event) => {
    const plot = event.target.closest("[data-chart]");
    if (!plot || plot.querySelector(".is-shown")) return;
    const bar = plot.querySelector("[data-now]") ?? barsOf(plot).at(-1);
    if (bar) show(plot, bar);
  });

  document.addEventListener("keydown", (event) => {
    const plot = event.target.closest("[data-chart]");
    if (!plot || event.altKey || event.ctrlKey || event.metaKey) return;
    const bars = barsOf(plot);
    const here = bars.findIndex((bar) => bar.classList.contains("is-shown"));
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: bars.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (bars[to]) show(plot, bars[to]);
  });
}
