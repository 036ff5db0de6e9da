// The AI settings form. A typed key stays in the browser when the form around it is swapped, because
// the server never sends one back; a result that was about another key goes when the key changes.
{
  const keyIn = (root) => root.querySelector("[data-key-field] input");
  let carried = null;
  let restoring = false;

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    if (event.detail.shouldSwap && target.matches?.("[data-keeps-key]")) carried = keyIn(target)?.value || carried;
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    // The form that came back with errors takes the reader to them.
    const form = event.target.closest?.("[data-keeps-key]");
    if (form && form === event.target) {
      (form.querySelector("[data-error-summary]") ?? form.querySelector('[aria-invalid="true"]'))?.focus();
    }
    const input = carried && keyIn(document);
    if (!input || input.value) return;
    input.value = carried;
    carried = null;
    restoring = true;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    restoring = false;
  });

  document.addEventListener("input", (event) => {
    if (restoring || !event.target.closest?.("[data-key-field]")) return;
    document.querySelector("[data-test-result]")?.replaceChildren();
  });

  // "Use Anthropic instead" is a link without us, and loses what was typed; with us it picks the provider.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-choose-provider]");
    const radio = link?.closest("form")?.querySelector(`input[name=provider][value="${link.dataset.chooseProvider}"]`);
    if (!radio) return;
    event.preventDefault();
    radio.click();
    radio.focus();
  });
}
