// The catalog: models that are ticked for comparison are kept while one goes on searching. Without us
// the ticks of the page in view are sent.
{
  const form = document.querySelector("[data-compare]");
  const words = form.querySelector("[data-compare-words]");
  const list = form.querySelector("[data-compare-chosen]");
  const most = Number(form.dataset.compare);
  // Reference to name, in the order of ticking.
  const chosen = new Map();

  const ticks = () => document.querySelectorAll(`input[form="${form.id}"][name="m"]`);

  const entry = ([reference, name]) => {
    const item = document.createElement("li");
    const value = document.createElement("input");
    Object.assign(value, { type: "hidden", name: "m", value: reference });
    const drop = document.createElement("button");
    Object.assign(drop, { type: "button", className: "link-button", textContent: name });
    drop.dataset.drop = reference;
    drop.setAttribute("aria-label", `Do not compare ${name}`);
    item.append(value, drop);
    return item;
  };

  const show = () => {
    for (const tick of ticks()) {
      tick.checked = chosen.has(tick.value);
      tick.disabled = !tick.checked && chosen.size >= most;
    }
    list.replaceChildren(...[...chosen].map(entry));
    list.hidden = chosen.size === 0;
    if (chosen.size === 0) words.textContent = `Tick up to ${most} models to compare them.`;
    else words.textContent = chosen.size >= most ? `${most} chosen, no more fit:` : `${chosen.size} chosen:`;
  };

  document.addEventListener("change", (event) => {
    const tick = event.target;
    if (!(tick instanceof HTMLInputElement) || tick.form !== form) return;
    if (tick.checked) chosen.set(tick.value, tick.dataset.name);
    else chosen.delete(tick.value);
    show();
  });

  list.addEventListener("click", (event) => {
    const drop = event.target.closest("[data-drop]");
    if (!drop) return;
    chosen.delete(drop.dataset.drop);
    show();
    (list.querySelector("button") ?? form.querySelector("[type=submit]")).focus();
  });

  // What is sent is what is kept: not the ticks in view a second time.
  form.addEventListener("formdata", (event) => {
    const kept = [...chosen.keys()];
    event.formData.delete("m");
    for (const reference of kept) event.formData.append("m", reference);
  });

  document.addEventListener("htmx:afterSettle", show);
  // A page that comes back from the browser's own memory has its ticks.
  addEventListener("pageshow", () => {
    for (const tick of ticks()) if (tick.checked) chosen.set(tick.value, tick.dataset.name);
    show();
  });
}
