// Toasts close by their button, or by themselves after six seconds unless they are about
// a failure or somebody is reading them (pointer or focus inside).
{
  const LIFETIME_MS = 6000;
  const region = document.getElementById("toasts");

  const close = (toast) => {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 160);
  };

  const start = (toast) => {
    if (toast.classList.contains("kind-bad")) return;
    let timer;
    const run = () => { timer = setTimeout(() => close(toast), LIFETIME_MS); };
    const hold = () => clearTimeout(timer);
    for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, hold);
    for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, run);
    run();
  };

  if (region) {
    const waiting = [...region.children];
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) {
          if (node instanceof HTMLElement && node.matches("[data-toast]")) start(node);
        }
      }
    }).observe(region, { childList: true });
    // A live region speaks only of what changes after it is there.
    if (waiting.length) setTimeout(() => region.replaceChildren(...waiting), 100);

    region.addEventListener("click", (event) => {
      const button = event.target.closest("[data-toast-close]");
      if (button) close(button.closest("[data-toast]"));
    });
  }
}
