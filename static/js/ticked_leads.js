// The list of leads: tick all that are shown, as far as the limit goes. Without us one ticks each.
document.addEventListener("click", (event) => {
  const all = event.target.closest("[data-bulk-all]");
  if (!all) return;
  const most = Number(all.form.dataset.bulk);
  const ticks = [...document.querySelectorAll(`input[form="${all.form.id}"][name="lead"]`)].slice(0, most);
  const isFull = ticks.every((tick) => tick.checked);
  for (const tick of ticks) tick.checked = !isFull;
});
