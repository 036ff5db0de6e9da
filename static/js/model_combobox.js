// The model combobox (ARIA 1.2 combobox with a listbox): suggestions while one types, chosen by
// arrows, Enter or the pointer. Focus stays in the text field; any text may stay in it.
{
  const WAIT_MS = 120;
  const waiting = new WeakMap();
  const asking = new WeakMap();

  const parts = (input) => {
    const root = input.closest("[data-combobox]");
    return {
      root,
      input,
      list: root.querySelector("[role=listbox]"),
      facts: root.querySelector("[data-combobox-facts]"),
      status: root.querySelector("[data-combobox-status]"),
    };
  };
  const inputIn = (node) => {
    const root = node instanceof Element ? node.closest("[data-combobox]") : null;
    return root && root.querySelector("[role=combobox]");
  };
  const options = (list) => [...list.querySelectorAll("[role=option]:not([aria-disabled=true])")];
  const isOpen = (input) => input.getAttribute("aria-expanded") === "true";

  const activate = ({ input, list }, option) => {
    for (const other of options(list)) other.setAttribute("aria-selected", String(other === option));
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };

  const close = (input) => {
    clearTimeout(waiting.get(input));
    asking.get(input)?.abort();
    const { list, status } = parts(input);
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    list.hidden = true;
    list.replaceChildren();
    status.textContent = "";
  };

  // `whole`: everything, whatever the field holds; else what matches it. `then` gets the parts once the options are there.
  const open = async (input, { whole = false, then = () => {} } = {}) => {
    const combobox = parts(input);
    const { root, list, status, facts } = combobox;
    const chosen = root.dataset.providerField && document.getElementById(root.dataset.providerField);
    const values = { provider: chosen ? chosen.value : root.dataset.provider, kind: root.dataset.kind, q: whole ? "" : input.value };
    asking.get(input)?.abort();
    // A key that was pasted here is not asked for: an address stands in the logs of every server on the way.
    if (/\bsk-[\w-]{3}/.test(values.q)) return close(input);
    const question = new AbortController();
    asking.set(input, question);
    try {
      // Not by htmx, which tells the console of every question that a newer one took the place of.
      const answer = await fetch(`${root.dataset.url}?${new URLSearchParams(values)}`, { headers: { "HX-Request": "true" }, signal: question.signal });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const found = await answer.text();
      if (question.signal.aborted) return;
      list.innerHTML = found;
    } catch {
      if (!question.signal.aborted) facts.textContent = "Suggestions could not be loaded. Any model's name can be typed.";
      return;
    }
    if (document.activeElement !== input || !list.children.length) return;
    [...list.children].forEach((option, index) => { option.id = `${list.id}_${index}`; });
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    const count = options(list).length;
    status.textContent = count === 0 ? "No suggestions" : count === 1 ? "1 suggestion" : `${count} suggestions`;
    then(combobox);
  };

  const choose = ({ input, facts }, option) => {
    input.value = option.dataset.value;
    facts.textContent = option.querySelector("[data-facts]").textContent;
    close(input);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const move = (combobox, step) => {
    const all = options(combobox.list);
    const now = all.findIndex((option) => option.id === combobox.input.getAttribute("aria-activedescendant"));
    const next = now < 0 && step < 0 ? all.length - 1 : (now + step + all.length) % all.length;
    if (all.length) activate(combobox, all[next]);
  };

  document.addEventListener("input", (event) => {
    const input = inputIn(event.target);
    if (!input || event.target !== input) return;
    parts(input).facts.textContent = "";
    clearTimeout(waiting.get(input));
    waiting.set(input, setTimeout(() => open(input), WAIT_MS));
  });

  document.addEventListener("keydown", (event) => {
    const input = inputIn(event.target);
    if (!input || event.target !== input || event.isComposing) return;
    const combobox = parts(input);
    const active = isOpen(input) && document.getElementById(input.getAttribute("aria-activedescendant"));
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && event.altKey && isOpen(input)) close(input);
    else if (step && isOpen(input)) move(combobox, step);
    else if (step) open(input, { whole: true, then: (opened) => { if (!event.altKey) move(opened, step); } });
    else if (event.key === "Enter" && active) choose(combobox, active);
    else if (event.key === "Escape" && isOpen(input)) close(input);
    else if (event.key === "Home" && active) activate(combobox, options(combobox.list)[0]);
    else if (event.key === "End" && active) activate(combobox, options(combobox.list).at(-1));
    else {
      if (event.key === "Enter" || event.key === "Tab") close(input);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  // The pointer: the field opens the list, an option is taken, and the field keeps the focus.
  document.addEventListener("mousedown", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-combobox] [role=listbox]")) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const input = inputIn(event.target);
    if (!input) return;
    if (event.target === input) {
      if (!isOpen(input)) open(input, { whole: true });
      return;
    }
    const option = event.target.closest("[role=option]:not([aria-disabled=true])");
    if (option) choose(parts(input), option);
  });

  document.addEventListener("focusout", (event) => {
    const input = inputIn(event.target);
    if (input && event.target === input) close(input);
  });

  // The browser's own list is for pages without us.
  const takeOver = (root) => {
    for (const input of root.querySelectorAll("[data-combobox] [role=combobox][list]")) input.removeAttribute("list");
  };
  takeOver(document);
  document.addEventListener("htmx:afterSwap", () => takeOver(document));
}
