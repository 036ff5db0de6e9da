// The key field: takes a pasted key without the blanks and quotes around it, names the provider
// that its prefix belongs to, and shows what is being typed only while it is asked to.
{
  const fieldOf = (node) => node instanceof Element ? node.closest("[data-key-field]") : null;
  const inputOf = (field) => field.querySelector("input");

  const keyOf = (name) => `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name} key`;

  const conceal = (field) => {
    const button = field.querySelector("[data-key-reveal]");
    inputOf(field).type = "password";
    button.textContent = "Show";
  };

  const guess = (field) => {
    const line = field.querySelector("[data-key-guess]");
    const value = inputOf(field).value;
    const match = [...field.querySelectorAll("[data-key-prefix]")].find((data) => value.startsWith(data.value));
    const chosen = line.dataset.provider;
    const sentence = match ? `This looks like ${keyOf(match.textContent)}` : "";
    // The error below the field may say it already.
    if (!match || field.querySelector(".field-error")?.textContent.includes(sentence)) line.textContent = "";
    else if (chosen && chosen !== match.textContent) line.textContent = `${sentence}, not ${keyOf(chosen)}.`;
    else line.textContent = `${sentence}.`;
    for (const link of field.querySelectorAll("[data-key-switch]")) {
      link.hidden = !match || !chosen || match.textContent === chosen || match.textContent !== link.dataset.keySwitch;
    }
  };

  document.addEventListener("paste", (event) => {
    const field = fieldOf(event.target);
    if (!field || event.target !== inputOf(field)) return;
    const text = event.clipboardData.getData("text").trim().replace(/^["'`]+|["'`,;]+$/g, "").trim();
    event.preventDefault();
    // A whole key takes the place of the one that was there, such as one that was just refused.
    if ([...field.querySelectorAll("[data-key-prefix]")].some((data) => text.startsWith(data.value))) event.target.select();
    event.target.setRangeText(text, event.target.selectionStart, event.target.selectionEnd, "end");
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  });

  document.addEventListener("input", (event) => {
    const field = fieldOf(event.target);
    if (!field) return;
    const empty = !event.target.value;
    field.querySelector("[data-key-reveal]").disabled = empty;
    if (empty) conceal(field);
    guess(field);
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-key-reveal]");
    if (!button) return;
    const field = fieldOf(button);
    if (inputOf(field).type === "text") conceal(field);
    else {
      inputOf(field).type = "text";
      button.textContent = "Hide";
    }
    inputOf(field).focus();
  });

  // Whoever goes elsewhere leaves no key on the screen.
  document.addEventListener("focusout", (event) => {
    const field = fieldOf(event.target);
    if (field && !field.contains(event.relatedTarget)) conceal(field);
  });
  document.addEventListener("submit", (event) => {
    for (const field of event.target.querySelectorAll("[data-key-field]")) conceal(field);
  }, true);
}
